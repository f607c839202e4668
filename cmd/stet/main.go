// Command stet makes Debian machines that are exactly what their repository
// says. All it does is in internal/cli.
package main

import (
	"os"

	"stet/internal/cli"
	"stet/internal/namespace"
	"stet/internal/sandbox"
)

func main() {
	namespace.Main()
	sandbox.Main() // when this is the second run of a sandbox, it ends here
	os.Exit(cli.Main())
}
