//go:build long

package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/loopback"
	"stet/test/program"
)

// buildTime is what a machine may take to build its own system, on an emulated
// processor.
const buildTime = 45 * time.Minute

// TestPackagesAreTried is a machine that gets packages for a while: it resolves,
// fetches and builds itself, from a repository that cannot be written.
func TestPackagesAreTried(t *testing.T) {
	w := loopback.New(t,
		mirrortest.Deb{
			Name: "greeting", Fields: map[string]string{"Depends": "words"},
			Files: map[string]string{"/usr/bin/greeting": "#!/bin/sh\nexec cat /usr/share/words\n"},
		},
		mirrortest.Deb{ // has an account, as dh_installsysusers(1) makes it
			Name: "words", Fields: map[string]string{"Depends": "systemd"},
			Files:   map[string]string{"/usr/share/words": "hello, world\n", "/usr/lib/sysusers.d/words.conf": "u words - - -\n"},
			Scripts: map[string]string{"postinst": "#!/bin/sh\nset -e\nsystemd-sysusers ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} words.conf\n"},
		},
	)
	w.Serve(t)
	w.GiveDebs(t)
	disk := stick(t, map[string]string{"world": w.Carry(t)})
	m := guest.Start(t, program.New(t, w.Stet.Dir, w.Stet.Env...), func(c *vm.Config) { c.MoreDisks, c.Memory = []string{disk}, 3072 })
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	m.Run(t, "mount -o ro /dev/disk/by-id/virtio-disk2 /mnt")
	before := m.Run(t, "cat /run/stet/system")

	// What `stet add` and `stet switch` would make of it.
	w.Stet.Must(t, "add", "greeting")
	added := w.Stet.Build(t).Digest

	if out, status := try(t, m, "greetign"); status != 2 || !strings.Contains(out, "greeting") {
		t.Errorf("a package that there is not: exit status %d\n%s", status, out)
	}
	begin := time.Now()
	if out, status := try(t, m, "greeting"); status != 0 || !strings.Contains(out, "tried with greeting until the next start") {
		t.Fatalf("exit status %d\n%s", status, out)
	}
	t.Logf("resolved, fetched, built and tried in %.0f s", time.Since(begin).Seconds())
	if have := m.Run(t, "greeting && cat /run/stet/system && ls -A /stet/tmp"); have != "hello, world\n"+added {
		t.Errorf("what is tried says %q, want hello, and system %s", have, added)
	}
	if out, status := m.Try(t, "stet confirm"); status != 2 || !strings.Contains(out, "`stet add greeting` keeps them") {
		t.Errorf("confirmed: exit status %d: %s", status, out)
	}
	var status struct{ Tried struct{ Packages []string } }
	if err := json.Unmarshal([]byte(m.Run(t, "stet status --json")), &status); err != nil || !slices.Equal(status.Tried.Packages, []string{"greeting"}) {
		t.Errorf("the status has %+v, %v", status, err)
	}
	uid := m.Run(t, "id -u words")
	m.Run(t, "stet gc && greeting")
	m.Run(t, "stet verify --quick")

	// One try at a time; it is made of what is declared.
	begin = time.Now()
	if out, status := try(t, m, "words --for 1h"); status != 0 || !strings.Contains(out, "tried with words until") {
		t.Fatalf("exit status %d\n%s", status, out)
	}
	t.Logf("the second took %.0f s", time.Since(begin).Seconds())
	m.Run(t, "cat /usr/share/words && ! test -e /usr/bin/greeting && systemctl is-active stet-revert.timer")

	m.Run(t, "stet rollback")
	m.Run(t, "! test -e /usr/share/words && ! systemctl is-active stet-revert.timer && systemctl is-system-running")
	if have := m.Run(t, "cat /run/stet/system"); have != before {
		t.Errorf("after going back it runs %s, want %s", have, before)
	}
	// The account is gone, and its number is no other's. That adding the package gives
	// it the same one, the digest has shown.
	var tried struct{ Users map[string]int }
	if err := json.Unmarshal([]byte(m.Run(t, "! id words 2>/dev/null && cat /stet/state/tried.json")), &tried); err != nil || fmt.Sprint(tried.Users["words"]) != uid {
		t.Errorf("%v, %v: the account had number %s", tried.Users, err, uid)
	}
	if out, status := m.Try(t, "stet confirm"); status != 2 || !strings.Contains(out, "nothing is tried") {
		t.Errorf("confirmed after going back: exit status %d: %s", status, out)
	}
}

// try runs `stet try -p` in the guest with what the disk has: a program that trusts
// its archives, and the repository.
func try(t *testing.T, m *guest.Machine, arguments string) (output string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildTime)
	defer cancel()
	result, err := m.Exec(ctx, vm.Shell("STET_MIRROR=file:///mnt/world/debian /mnt/world/stet -C /mnt/world/repository try -p "+arguments))
	if err != nil {
		t.Fatal(err)
	}
	return string(result.Stdout) + string(result.Stderr), result.ExitStatus
}
