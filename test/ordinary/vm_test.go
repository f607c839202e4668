//go:build long

package ordinary_test

import (
	"path/filepath"
	"testing"

	"stet/test/program"
)

// TestAMachineBoots builds and boots a machine as a user.
func TestAMachineBoots(t *testing.T) {
	p := program.Example(t, "minimal")
	home := t.TempDir()
	store := filepath.Join(home, "store")
	giveDebs(t, p, store)
	p.Path = copied(t, p.Path, home)
	give(t, home)
	give(t, p.Dir)
	ada := as(p, home, "").With("STET_STORE=" + store)
	r := ada.Must(t, "vm", "--exec", "systemctl is-system-running --wait; ls -ld /usr/bin/su")
	if want := "running\n-rwsr-xr-x 1 root root "; len(r.Stdout) < len(want) || r.Stdout[:len(want)] != want {
		t.Errorf("it says %q", r.Stdout)
	}
}
