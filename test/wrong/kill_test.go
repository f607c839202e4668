package wrong_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stet/test/chance"
	"stet/test/program"
)

// A build is killed at random moments, again and again in the same store. In
// the end it gives the same system, and nothing of the killed ones is left.
func TestKilledBuilds(t *testing.T) {
	stet := program.Example(t, "minimal")
	want := stet.Build(t).Digest
	lockBefore := program.ReadLock(t, stet.Dir).Format()

	store := filepath.Join(t.TempDir(), "store")
	stet.GiveDebs(t, store)
	stet = stet.With("STET_STORE=" + store)
	for round := range chance.Rounds(t, 4) {
		after := time.Duration(rand.Int64N(int64(4 * time.Second)))
		ctx, cancel := context.WithTimeout(t.Context(), after)
		cmd := stet.Command(ctx, "build") // ends with SIGKILL
		err := cmd.Run()
		cancel()
		t.Logf("round %d: killed after %v: %v", round, after.Round(time.Millisecond), err)
	}
	if have := stet.Build(t).Digest; have != want {
		t.Errorf("the system is %s, not %s", have, want)
	}
	if left, err := os.ReadDir(filepath.Join(store, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("killed builds left %v in the store, %v", left, err)
	}
	if string(program.ReadLock(t, stet.Dir).Format()) != string(lockBefore) {
		t.Error("stet.lock was changed")
	}
}
