package cli

import (
	"math"
	"runtime"
	"runtime/debug"
)

// uncollected is how much memory a command may take before the first garbage
// collection: more than resolving needs with the index of a whole suite, and
// less than half of what a command may take in the end.
const uncollected = 128 << 20

// memoryLimit is what the garbage collector tries to stay below later, in bytes. A
// server takes less; a desktop needs more, and may have it.
const memoryLimit = 224 << 20

// DelayCollection lets a process use its first memory without collecting
// garbage. Most commands end before: resolving keeps nearly all that it makes, and
// looking for garbage meanwhile takes a third of its time. From the first
// collection on, it is done as usual, and more often near the limit. What GOGC and
// GOMEMLIMIT say stands.
func DelayCollection() {
	percent := debug.SetGCPercent(-1)
	if percent != 100 { // GOGC says otherwise
		debug.SetGCPercent(percent)
		return
	}
	limit := debug.SetMemoryLimit(uncollected)
	if limit != math.MaxInt64 { // so does GOMEMLIMIT
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
		return
	}
	first := new([16]byte) // dies in the first collection
	runtime.AddCleanup(first, func(int) {
		debug.SetMemoryLimit(memoryLimit)
		debug.SetGCPercent(100)
	}, 0)
}
