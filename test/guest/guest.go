package guest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/build"
	"stet/internal/lock"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/vm"
	"stet/test/program"
	"stet/test/spill"
)

// Machine is a VM and what it was made of.
type Machine struct {
	*vm.VM
	Built program.Built
}

// Start builds the repository's machine and boots it. The options may change
// what QEMU runs. It does not wait for the boot.
func Start(t testing.TB, p program.Program, options ...func(*vm.Config)) *Machine {
	t.Helper()
	built := p.Build(t)
	config := Config(t, p, built)
	for _, option := range options {
		option(&config)
	}
	return start(t, config, built)
}

// StartDisk boots a disk by firmware and boot loader, as hardware does; built is
// what is on it. The options may change what QEMU runs. It does not wait for the
// boot.
func StartDisk(t testing.TB, built program.Built, disk string, options ...func(*vm.Config)) *Machine {
	t.Helper()
	firmware, err := vm.OVMF()
	if err != nil {
		t.Fatal(err)
	}
	accelerator, err := vm.Probe(t.Context(), built.Kernel, nil)
	if err != nil {
		t.Fatal(err)
	}
	config := vm.Config{Name: "disk", Firmware: &firmware, Disk: disk, DiskSerial: "disk", RunDirectory: t.TempDir(), Accelerator: &accelerator}
	for _, option := range options {
		option(&config)
	}
	return start(t, config, built)
}

// lastLines is how much of its console is shown of a machine whose test failed.
const lastLines = 100

func start(t testing.TB, config vm.Config, built program.Built) *Machine {
	t.Helper()
	machine, err := vm.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			lines := strings.Split(strings.TrimSpace(string(machine.SerialLog())), "\n")
			t.Logf("the console's last lines:\n%s", strings.Join(lines[max(0, len(lines)-lastLines):], "\n"))
		}
	})
	return &Machine{machine, built}
}

// Config says how QEMU runs a built machine, with a disk of its own.
func Config(t testing.TB, p program.Program, built program.Built) vm.Config {
	t.Helper()
	s, err := store.Open(p.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() }) // who opens it alone clears what is under way
	builder := build.Builder{Store: s, Debs: debs{p.Store(t)}, Provider: rootfs.Overlay{}}
	text, err := s.System(built.Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := system.ParseManifest(text)
	if err != nil {
		t.Fatal(err)
	}
	config, err := builder.Guest(t.Context(), &build.System{Digest: built.Digest, Manifest: manifest}, program.ReadLock(t, p.Dir), build.First{Stet: p.Path})
	if err != nil {
		t.Fatal(err)
	}
	config.RunDirectory = t.TempDir()
	accelerator, err := vm.Probe(t.Context(), config.Kernel, nil)
	if err != nil {
		t.Fatal(err)
	}
	config.Accelerator = &accelerator
	return config
}

// DiskFile writes the disk that a machine would find to a file, for who changes it before.
func DiskFile(t testing.TB, config vm.Config) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "disk.raw")
	if err := spill.To(name, config.Base); err != nil {
		t.Fatal(err)
	}
	return name
}

// debs gives what was fetched into a store.
type debs struct{ store string }

// Open implements [build.Debs].
func (d debs) Open(p lock.Package) (*os.File, error) { return os.Open(program.Deb(d.store, p)) }

// bootTime is how long an emulated guest may take on a busy host: a desktop has taken
// more than six minutes.
const bootTime = 12 * time.Minute

// Booted waits until the boot is over and gives systemd's verdict.
func (m *Machine) Booted(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	state, err := m.WaitBooted(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// Try runs a line of shell as root and gives its output, both streams, and its
// exit status.
func (m *Machine) Try(t testing.TB, line string) (output string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	result, err := m.Exec(ctx, vm.Shell(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSpace(string(result.Stdout) + string(result.Stderr)), result.ExitStatus
}

// Run is Try of what has to succeed.
func (m *Machine) Run(t testing.TB, line string) string {
	t.Helper()
	output, status := m.Try(t, line)
	if status != 0 {
		t.Fatalf("%s: exit status %d\n%s", line, status, output)
	}
	return output
}
