package cli

import (
	"context"
	"testing"
	"time"

	"stet/internal/systemd"
)

func TestWhatTheManagerSaidIsUsedWhileItIsNew(t *testing.T) {
	all := []systemd.Unit{{Name: "ssh.service"}}
	asked := make(chan struct{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if units := (&begun{asked: asked, all: all, at: time.Now()}).units(gone); units != nil {
		t.Error("who has gone is waiting for it")
	}
	close(asked)
	for _, c := range []struct {
		of   begun
		want int
	}{
		{begun{all: all, at: time.Now()}, 1},
		{begun{all: all, at: time.Now().Add(-2 * stale)}, 0},
		{begun{}, 0}, // it said nothing
	} {
		c.of.asked = asked
		if units := c.of.units(t.Context()); len(units) != c.want {
			t.Errorf("of %v: %v", c.of.at, units)
		}
	}
}
