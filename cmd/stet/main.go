// Command stet makes Debian machines that are exactly what their repository
// says. All it does is in internal/cli.
package main

import (
	"math"
	"os"
	"runtime/debug"

	"stet/internal/cli"
	"stet/internal/namespace"
	"stet/internal/sandbox"
)

// memoryLimit is what the garbage collector tries to stay below, in bytes.
// Reading a suite's index makes 180 MB that are needed and as much that are
// not; all of Stet is to take no more than 300 MB.
const memoryLimit = 224 << 20

func main() {
	namespace.Main()
	sandbox.Main()                                 // when this is the second run of a sandbox, it ends here
	if debug.SetMemoryLimit(-1) == math.MaxInt64 { // GOMEMLIMIT says nothing else
		debug.SetMemoryLimit(memoryLimit)
	}
	os.Exit(cli.Main())
}
