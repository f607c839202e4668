//go:build long

package fleet_test

import (
	"maps"
	"testing"
	"time"

	"stet/test/example"
	"stet/test/program"
)

// TestTheFleetBuildsToItsGoldens builds all machines, then one more.
func TestTheFleetBuildsToItsGoldens(t *testing.T) {
	p := program.Example(t, "fleet")
	_, relocked, err := example.Prepare(t.Context(), p.Path, "fleet")
	if err != nil {
		t.Fatal(err)
	}
	goldens, err := example.ReadGoldens("fleet")
	if err != nil {
		t.Fatal(err)
	}
	names := machines(t, p)
	if len(goldens) != len(names) {
		t.Errorf("there are %d machines and %d goldens", len(names), len(goldens))
	}
	begin := time.Now()
	for _, name := range names {
		built, err := example.BuiltMachine(t.Context(), p.Path, p.Dir, name)
		if err != nil {
			t.Fatal(err)
		}
		if !relocked && !maps.Equal(built.Trees, goldens[name].Trees) {
			t.Errorf("%s builds to\n  %v\nbut its goldens are\n  %v\nIf that is meant, `make relock` renews them", name, built.Trees, goldens[name].Trees)
		}
	}
	t.Logf("%d machines in %.1f s", len(names), time.Since(begin).Seconds())

	// A machine of a role that is there has the packages of the others, configured.
	lines := add(t, p)
	before := program.ReadLock(t, p.Dir)
	locked := p.Must(t, "lock")
	after := program.ReadLock(t, p.Dir)
	if len(after.Packages) != len(before.Packages) || after.Machines["web5"].Result != after.Machines["web1"].Result {
		t.Errorf("%d packages are %d with web5, whose root is %v, web1's %v", len(before.Packages), len(after.Packages), after.Machines["web5"].Result, after.Machines["web1"].Result)
	}
	built := p.Must(t, "build", "web5")
	t.Logf("web5 took %d lines, %.1f s to lock and %.1f s to build", lines, locked.Took.Seconds(), built.Took.Seconds())

	// It runs, too, and serves what its one line says.
	said := p.Must(t, "vm", "web5", "--exec", `systemctl is-system-running --wait; cat /etc/hostname; bash -c 'exec 3<>/dev/tcp/127.0.0.1/80 && printf "GET / HTTP/1.0\r\n\r\n" >&3 && tail -n 1 <&3'`)
	if want := "running\nweb5.example.org\n<p>The fifth.\n"; said.Stdout != want {
		t.Errorf("web5 says %q, want %q", said.Stdout, want)
	}
}
