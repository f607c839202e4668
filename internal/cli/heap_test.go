package cli

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestTheFirstCollectionEndsTheDelay(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(math.MaxInt64))
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	DelayCollection()
	if limit := debug.SetMemoryLimit(-1); limit != uncollected {
		t.Fatalf("the limit is %d", limit)
	}
	runtime.GC()
	for range 1000 {
		if debug.SetMemoryLimit(-1) == memoryLimit {
			if percent := debug.SetGCPercent(100); percent == 100 {
				return
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("no garbage is collected after a collection")
}
