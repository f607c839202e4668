package start_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"stet/internal/sandbox"
	"stet/internal/vm"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// console is how long a machine may take to say something on a busy host.
const console = 8 * time.Minute

// mounted is what stet-init says when all is mounted.
const mounted = "is mounted after"

// waitFor waits until the console of a machine has said one of several things
// since the last boot, and gives what it said by then.
func waitFor(t testing.TB, machine *vm.VM, what ...string) string {
	t.Helper()
	deadline := time.Now().Add(console)
	for {
		log := string(machine.SerialLog())
		for _, one := range what {
			if strings.Contains(log, one) {
				return log
			}
		}
		select {
		case <-machine.Done():
			t.Fatalf("the machine is off and has not said %q\n%s", what, log)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the machine has not said %q\n%s", what, log)
		}
	}
}
