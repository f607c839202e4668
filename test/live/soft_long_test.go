//go:build long

package live_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"stet/internal/vm"
	"stet/internal/vm/agent"
	"stet/test/guest"
)

// asked runs a line until it succeeds: the machine starts anew meanwhile.
func asked(ctx context.Context, t *testing.T, m *guest.Machine, line string) string {
	t.Helper()
	for {
		result, err := m.Exec(ctx, vm.Shell(line))
		if err == nil && result.ExitStatus == 0 {
			return strings.TrimSpace(string(result.Stdout))
		}
		if err != nil && !errors.Is(err, agent.ErrRestarted) {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
}

// softly has the machine start a system by a soft reboot, and waits for that.
func softly(t *testing.T, m *guest.Machine, from string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	const count = "systemctl show --property=SoftRebootsCount"
	before := asked(ctx, t, m, count)
	result, err := m.Exec(ctx, vm.Shell("stet boot --soft --from "+from))
	if err != nil && !errors.Is(err, agent.ErrRestarted) {
		t.Fatal(err)
	}
	if err == nil && result.ExitStatus != 0 {
		t.Fatalf("exit status %d: %s%s", result.ExitStatus, result.Stdout, result.Stderr)
	}
	for asked(ctx, t, m, count) == before {
		time.Sleep(time.Second)
	}
}

// kernel says which start of the kernel this is.
const kernel = "cat /proc/sys/kernel/random/boot_id"

// startsSoftly has all but the kernel start anew, from generation 4 with the second
// page to the first once more. What asks for another kernel command line, the third
// does, asks for a whole reboot.
func startsSoftly(t *testing.T, m *guest.Machine) {
	t.Helper()
	if out, status := m.Try(t, "stet boot --soft --from /run/third"); status != 1 || !strings.Contains(out, "kernel command line") {
		t.Errorf("exit status %d: %s", status, out)
	}
	stands(t, m, "second", 4, 4, 4)

	// The kernel runs on, and nothing else does; what is state is there.
	boot, mounts := m.Run(t, kernel), m.Run(t, "findmnt -rno TARGET | grep -v ^/run/credentials | sort | tee /var/lib/mounts")
	m.Run(t, "echo kept | tee /home/kept /root/kept /srv/kept /var/lib/kept; systemctl show --value --property=MainPID dbus page | grep . >/var/lib/pids")
	softly(t, m, "/run/first")
	if state := m.Booted(t); state != "running" {
		t.Errorf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	stands(t, m, "first", 4, 5, 5)
	if have := m.Run(t, kernel); have != boot {
		t.Error("the kernel started anew")
	}
	m.Run(t, "for pid in $(cat /var/lib/pids); do ! kill -0 $pid || exit; done; cat /home/kept /root/kept /srv/kept /var/lib/kept")
	if have := m.Run(t, "findmnt -rno TARGET | grep -v ^/run/credentials | sort"); have != mounts {
		t.Errorf("mounts before\n%s\nand after\n%s", mounts, have)
	}
	if have := m.Run(t, "ls /efi/loader/entries | tail -n 1; systemctl show --value --property=NRestarts page"); have != "stet-5.conf\n0" {
		t.Errorf("on the ESP there is, or the page was started, %s", have)
	}
}

// startsHarder has one start softly that is not well: it starts the hard way then,
// which counts its tries.
func startsHarder(t *testing.T, m *guest.Machine) {
	t.Helper()
	boot := m.Run(t, kernel)
	softly(t, m, "/run/ill")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for asked(ctx, t, m, kernel) == boot {
		time.Sleep(time.Second)
	}
	if have := asked(ctx, t, m, "grep -o 'stet.generation=[0-9]*' /proc/cmdline; ls /efi/loader/entries | grep stet-6"); have != "stet.generation=6\nstet-6+2-1.conf" {
		t.Errorf("after the soft reboot of what is not well there is %s", have)
	}
}
