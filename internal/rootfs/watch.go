package rootfs

import (
	"context"
	"fmt"
	"time"
)

// patience is how long what runs in a root may show no sign of life, if a
// Builder has no patience of its own. It is many times what the slowest script
// takes, because a machine that is emulated is many times slower.
const patience = 30 * time.Minute

// roomInterval is how often the room of the disk is looked at.
const roomInterval = 100 * time.Millisecond

// StuckError says that scripts showed no sign of life for too long.
type StuckError struct{ After time.Duration }

// Error implements error.
func (e *StuckError) Error() string { return fmt.Sprintf("nothing has ended for %s", e.After) }

// watch is a context that ends when what runs under it gets stuck, or has
// written so much that its room is nearly full. Every watch wants an end.
type watch struct {
	context.Context
	parent   context.Context
	stop     context.CancelCauseFunc
	room     room
	patience time.Duration
	timer    *time.Timer
	done     chan struct{}
}

func (b *Builder) watch(ctx context.Context, r room) *watch {
	w := &watch{parent: ctx, room: r, patience: b.Patience, done: make(chan struct{})}
	if w.patience == 0 {
		w.patience = patience
	}
	w.Context, w.stop = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(w.patience, func() { w.stop(&StuckError{w.patience}) })
	go w.watchRoom()
	return w
}

func (w *watch) watchRoom() {
	defer close(w.done)
	tick := time.NewTicker(roomInterval)
	defer tick.Stop()
	for {
		select {
		case <-w.Done():
			return
		case <-tick.C:
			if full := w.room.check(roomAfter, filesAfter); full != nil {
				w.stop(full)
			}
		}
	}
}

// alive is a sign of life.
func (w *watch) alive() { w.timer.Reset(w.patience) }

// end ends the watch of what gave an error, or none, and gives the reason
// behind it.
func (w *watch) end(err error) error {
	cause := context.Cause(w.Context)
	w.timer.Stop()
	w.stop(nil)
	<-w.done
	if w.parent.Err() != nil {
		return err
	}
	if cause != nil {
		return cause
	}
	// It may have met the end of the disk between two looks.
	if full := w.room.check(roomAfter, filesAfter); full != nil {
		return full
	}
	return err
}
