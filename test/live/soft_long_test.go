//go:build long

package live_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/vm"
	"stet/internal/vm/agent"
	"stet/test/guest"
	"stet/test/program"
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

// TestASoftRebootStartsAllButTheKernelAnew is a machine with firmware, boot loader
// and an ESP.
func TestASoftRebootStartsAllButTheKernelAnew(t *testing.T) {
	stet := program.Example(t, "minimal")
	text, err := os.ReadFile(filepath.Join(stet.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	base := string(text) + "\nhealth: {timeout: 20s, page: {command: \"! grep -q ill /etc/page || { echo the page is ill; exit 1; }\"}}\n"
	declare(t, stet, base, "first", "")
	first, disk := stet.Build(t), filepath.Join(t.TempDir(), "disk.raw")
	stet.Must(t, "image", "-o", disk)
	declare(t, stet, base, "second", "")
	second := sent(t, stet)
	declare(t, stet, base, "ill", "")
	ill := sent(t, stet)
	declare(t, stet, strings.Replace(base, "[console=ttyS0]", "[console=ttyS0, other]", 1), "third", "")
	third := sent(t, stet)

	m := guest.StartDisk(t, first, disk)
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	bring(t, m, second, "second")
	bring(t, m, ill, "ill")
	bring(t, m, third, "third")

	// What asks for another kernel, or another command line, asks for a whole reboot.
	if out, status := m.Try(t, "stet boot --soft --from /run/third"); status != 1 || !strings.Contains(out, "kernel command line") {
		t.Errorf("exit status %d: %s", status, out)
	}
	stands(t, m, "first", 1, 1, 1)

	// The kernel runs on, and nothing else does; what is state is there.
	const kernel = "cat /proc/sys/kernel/random/boot_id"
	boot, mounts := m.Run(t, kernel), m.Run(t, "findmnt -rno TARGET | grep -v ^/run/credentials | sort | tee /var/lib/mounts")
	m.Run(t, "echo kept | tee /home/kept /root/kept /srv/kept /var/lib/kept; systemctl show --value --property=MainPID dbus page | grep . >/var/lib/pids")
	softly(t, m, "/run/second")
	if state := m.Booted(t); state != "running" {
		t.Errorf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	stands(t, m, "second", 1, 2, 2)
	if have := m.Run(t, kernel); have != boot {
		t.Error("the kernel started anew")
	}
	m.Run(t, "for pid in $(cat /var/lib/pids); do ! kill -0 $pid || exit; done; cat /home/kept /root/kept /srv/kept /var/lib/kept")
	if have := m.Run(t, "findmnt -rno TARGET | grep -v ^/run/credentials | sort"); have != mounts {
		t.Errorf("mounts before\n%s\nand after\n%s", mounts, have)
	}
	if have := m.Run(t, "ls /efi/loader/entries | tr '\\n' ' '; systemctl show --value --property=NRestarts page"); have != "stet-1.conf stet-2.conf 0" {
		t.Errorf("on the ESP there is, or the page was started, %s", have)
	}

	// One that is not well starts the hard way, which counts its tries.
	bring(t, m, ill, "worse")
	softly(t, m, "/run/worse")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for asked(ctx, t, m, kernel) == boot {
		time.Sleep(time.Second)
	}
	if have := asked(ctx, t, m, "grep -o 'stet.generation=[0-9]*' /proc/cmdline; ls /efi/loader/entries | grep stet-3"); have != "stet.generation=3\nstet-3+2-1.conf" {
		t.Errorf("after the soft reboot of what is not well there is %s", have)
	}
}
