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

// memoryLimit is what the garbage collector tries to stay below later, in bytes: more
// than is alive at a time with thousands of packages, or it would never rest, and less
// than two thirds of what Stet may take for them.
const memoryLimit = 320 << 20

// DelayCollection lets a process use its first memory without collecting
// garbage: most commands end before, and would look for it in vain. From the first
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
