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

// memoryLimit is what the garbage collector tries to stay below later, in bytes.
// Reading a suite's index makes 180 MB that are needed and as much that are
// not; all of Stet is to take no more than 300 MB.
const memoryLimit = 224 << 20

// DelayCollection lets a process use its first memory without collecting
// garbage. Most commands end before; `stet lock` reads an index of which all
// stays, and looking for garbage meanwhile takes a third of its time. From the
// first collection on, it is done as usual, and more often near the limit. What
// GOGC and GOMEMLIMIT say stands.
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
