//go:build long

package twice_test

import (
	"os"
	"testing"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// A desktop comes up to its login screen. STET_SCREENSHOT names a file for a
// picture of it. Without AppArmor: an emulated processor compiles all profiles of
// Debian for more than five minutes; test/server has them.
func TestADesktopBoots(t *testing.T) {
	p := program.Example(t, "desktop-gnome")
	machine := guest.Start(t, p, func(c *vm.Config) {
		c.Memory, c.CPUs = 3072, 2
		c.CommandLine += " apparmor=0"
	})
	state := machine.Booted(t)
	t.Logf("the machine is %s", state)
	t.Log(machine.Run(t, "systemctl --failed --no-legend; systemd-analyze | head -n 1; findmnt -no FSTYPE /usr; find /etc -newer /etc/.updated -type f 2>/dev/null | head"))
	if out := machine.Run(t, "systemctl is-active graphical.target gdm.service"); out != "active\nactive" {
		t.Errorf("graphical.target and gdm.service are %q", out)
	}
	if name := os.Getenv("STET_SCREENSHOT"); name != "" {
		machine.Run(t, "sleep 60")
		picture, err := machine.Screenshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
