package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Greet asks an agent for its greeting, which it gave before this client was
// there.
func (c *Client) Greet(ctx context.Context) error {
	if err := c.send(ctx, &frame{Op: opHello}); err != nil {
		return err
	}
	_, err := c.Hello(ctx, "")
	return err
}

// Wake tells a machine whose state was kept for some time what it has missed:
// the time, and that other machines began in the same state, so that its random
// numbers must be its own.
func (c *Client) Wake(ctx context.Context) error {
	seed := make([]byte, 32)
	if _, err := rand.Read(seed); err != nil {
		return fmt.Errorf("make a seed: %w", err)
	}
	_, err := c.do(ctx, &frame{Op: opWake, Clock: time.Now().UnixNano(), Data: seed}, nil, io.Discard, io.Discard)
	return err
}

// wake is the guest's part of Wake. It sets the clock itself: a program that does
// takes an emulated guest a good part of a second to start, by which the clock
// would be late.
func wake(now time.Time, seed []byte) error {
	spec := unix.NsecToTimespec(now.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &spec); err != nil {
		return fmt.Errorf("set the clock: %w", err)
	}
	random, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = random.Write(seed)
	if err == nil {
		err = unix.IoctlSetInt(int(random.Fd()), unix.RNDRESEEDCRNG, 0) // random(4)
	}
	return errors.Join(err, random.Close())
}
