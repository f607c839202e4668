package cli

import (
	"context"
	"os"
	"time"

	"stet/internal/activate"
	"stet/internal/systemd"
)

// begun is a carrier that was begun. Its manager is asked before what it knows of units:
// while it begins a process it answers nobody, and the plan is waited for.
type begun struct {
	*activate.Carrier
	asked chan struct{} // closed when it was

	all []systemd.Unit // what it said; nil where it did not
	at  time.Time      // when
}

// stale is how old what a manager said may be when a plan is made of it.
const stale = 3 * time.Second

// begin begins the process that will carry a plan out.
func (a *app) begin(ctx context.Context, l live) (*begun, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &begun{asked: make(chan struct{})}
	launch := func(ctx context.Context, service systemd.Service) error {
		manager := l.manager(nil).Keep()
		defer manager.HangUp()
		if units, err := manager.Units(ctx); err == nil { // else who makes the plan learns of it
			b.all, b.at = units, time.Now()
		}
		close(b.asked)
		return manager.Launch(ctx, service)
	}
	if b.Carrier, err = l.activate(a).Begin(ctx, launch, []string{program, "carry-out"}); err != nil {
		return nil, err
	}
	return b, nil
}

// units gives what the manager said; nil where that is not known, or too long ago.
func (b *begun) units(ctx context.Context) []systemd.Unit {
	select {
	case <-b.asked:
	case <-ctx.Done():
		return nil
	}
	if time.Since(b.at) > stale {
		return nil
	}
	return b.all
}
