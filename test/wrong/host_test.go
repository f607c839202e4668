package wrong_test

import (
	"path/filepath"
	"testing"

	"stet/test/loopback"
	"stet/test/program"
)

// The program as it is installed, on hosts that lack something.
func TestHostsThatLackSomething(t *testing.T) {
	stet := program.Example(t, "minimal")
	stet.Build(t)
	empty := stet.With("STET_STORE=" + filepath.Join(t.TempDir(), "store"))

	t.Run("a network", func(t *testing.T) {
		alone := empty
		alone.Prefix = []string{"unshare", "--net"}
		refused(t, alone.With("STET_MIRROR=http://127.0.0.1:1/debian").Run(t, "fetch"), 1, "can be reached")
		refused(t, alone.Run(t, "build"), 2, "stet fetch")
	})
	t.Run("QEMU", func(t *testing.T) {
		refused(t, stet.With("PATH=/nonexistent").Run(t, "vm", "--exec", "true"), 1, "qemu-system-x86_64")
	})
	t.Run("a place for the store", func(t *testing.T) {
		refused(t, stet.With("STET_STORE=/proc/store").Run(t, "build"), 1, "/proc/store")
		refused(t, stet.With("STET_STORE=", "XDG_CACHE_HOME=", "HOME=").Run(t, "build"), 2, "STET_STORE")
	})
	t.Run("a lock", func(t *testing.T) {
		w := loopback.New(t)
		w.Trust(t, w.Archive.Key)
		w.Want(t, "greeting")
		refused(t, w.Stet.Run(t, "build"), 2, "stet lock")
	})
}
