package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stet/internal/vm/agent"
)

// A guest of these tests is Debian's cloud kernel with testdata/guest as its
// user space, so that a boot takes seconds and needs nothing else of Stet.

var fixture struct {
	once        sync.Once
	err         error
	agent       []byte
	archive     []byte
	accelerator Accelerator
	kernel      string
}

// guestModules are what the guest loads, in this order; a kernel may have some
// of them built in.
var guestModules = []string{"virtio_blk", "failover", "net_failover", "virtio_net"}

// testConfig gives the configuration of a small guest.
func testConfig(t *testing.T) Config {
	t.Helper()
	fixture.once.Do(func() { fixture.err = makeFixture() })
	if fixture.err != nil {
		t.Fatal(fixture.err)
	}
	accelerator := fixture.accelerator
	return Config{
		Name: t.Name(), Kernel: fixture.kernel, CommandLine: "console=ttyS0 quiet net.ifnames=0",
		Archives: [][]byte{fixture.archive}, Agent: fixture.agent,
		Memory: 256, RunDirectory: t.TempDir(), Accelerator: &accelerator,
	}
}

func makeFixture() error {
	root, err := testKernel()
	if err != nil {
		return err
	}
	kernels, _ := filepath.Glob(filepath.Join(root, "boot/vmlinuz-*"))
	if len(kernels) == 0 {
		return fmt.Errorf("%s has no boot/vmlinuz-*", root)
	}
	fixture.kernel = kernels[0]
	directory, err := os.MkdirTemp("", "stet-vm-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	for name, source := range map[string]string{"guest": "./testdata/guest", "agent": "stet/cmd/stet-agent"} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(directory, name), source)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", source, err, out)
		}
	}
	guest, err := os.ReadFile(filepath.Join(directory, "guest"))
	if err != nil {
		return err
	}
	if fixture.agent, err = os.ReadFile(filepath.Join(directory, "agent")); err != nil {
		return err
	}
	archive := newArchive()
	archive.file("init", 0o755, string(guest))
	archive.symlink("usr/bin/systemctl", "/init")
	archive.symlink("usr/bin/tool", "/init")
	order := ""
	for _, name := range guestModules {
		found := ""
		filepath.WalkDir(filepath.Join(root, "usr/lib/modules"), func(path string, entry os.DirEntry, err error) error {
			if base := filepath.Base(path); base == name+".ko.xz" || base == name+".ko" {
				found = path
			}
			return nil
		})
		if found == "" {
			continue // built in
		}
		content, err := os.ReadFile(found)
		if err != nil {
			return err
		}
		archive.file("modules/"+filepath.Base(found), 0o644, string(content))
		order += filepath.Base(found) + "\n"
	}
	archive.file("modules/order", 0o644, order)
	if fixture.archive, err = archive.bytes(); err != nil {
		return err
	}
	fixture.accelerator, err = Probe(context.Background(), fixture.kernel, fixture.agent)
	return err
}

// testKernel gives a directory with the boot and usr/lib/modules of a Debian
// kernel: STET_TEST_KERNEL, or the one that `make test` puts into the clone.
func testKernel() (string, error) {
	root := os.Getenv("STET_TEST_KERNEL")
	if root == "" {
		root = filepath.Join("..", "..", ".cache", "kernel")
	}
	if _, err := os.Stat(filepath.Join(root, "boot")); err != nil {
		return "", fmt.Errorf("there is no kernel to test with: run make .cache/kernel: %w", err)
	}
	return root, nil
}

// testDisk makes an ext4 image.
func testDisk(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.raw")
	if out, err := exec.Command("mke2fs", "-q", "-t", "ext4", path, "32M").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v\n%s", err, out)
	}
	return path
}

func start(t *testing.T, c Config) *VM {
	t.Helper()
	vm, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("serial log:\n%s", vm.SerialLog())
		}
		if err := vm.Close(); err != nil {
			t.Error(err)
		}
		left, _ := filepath.Glob(filepath.Join(c.RunDirectory, "*"))
		if len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	return vm
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func run(t *testing.T, vm *VM, argv ...string) *Result {
	t.Helper()
	result, err := vm.Exec(patience(t), Command{Argv: argv})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestMachineRunsCommands(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Clock = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	c.Forwards = []Forward{{GuestPort: 80}, {GuestPort: 81}}
	vm := start(t, c)
	ctx := patience(t)
	if err := vm.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}

	t.Run("output and exit status", func(t *testing.T) {
		result := run(t, vm, "tool", "echo", "one", "two")
		if string(result.Stdout) != "one two\n" || len(result.Stderr) != 0 || result.ExitStatus != 0 {
			t.Errorf("got %+v", result)
		}
		result = run(t, vm, "tool", "fail", "7")
		if result.ExitStatus != 7 || string(result.Stderr) != "failing as asked\n" {
			t.Errorf("got %+v", result)
		}
	})
	t.Run("a program that is not there is an error", func(t *testing.T) {
		if _, err := vm.Exec(ctx, Command{Argv: []string{"no-such-program"}}); err == nil || !strings.Contains(err.Error(), "no-such-program") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("input of any size comes back unchanged", func(t *testing.T) {
		data := make([]byte, 3<<20+17)
		for i := range data {
			data[i] = byte(i * i >> 3)
		}
		var out bytes.Buffer
		if _, err := vm.Exec(ctx, Command{Argv: []string{"tool", "cat"}, Stdin: bytes.NewReader(data), Stdout: &out}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Errorf("%d bytes came back as %d others", len(data), out.Len())
		}
	})
	t.Run("a timeout kills", func(t *testing.T) {
		result, err := vm.Exec(ctx, Command{Argv: []string{"tool", "sleep"}, Timeout: 200 * time.Millisecond})
		if err != nil || !result.TimedOut || result.Signal != "SIGKILL" || result.ExitStatus != 137 {
			t.Errorf("got %+v, %v", result, err)
		}
	})
	t.Run("a context ends a command and only that", func(t *testing.T) {
		brief, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		if _, err := vm.Exec(brief, Command{Argv: []string{"tool", "sleep"}}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		run(t, vm, "tool", "true")
	})
	t.Run("several commands at once", func(t *testing.T) {
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				word := fmt.Sprint("word", i)
				result, err := vm.Exec(ctx, Command{Argv: []string{"tool", "cat"}, Stdin: strings.NewReader(word)})
				if err != nil || string(result.Stdout) != word {
					t.Errorf("%s: got %+v, %v", word, result, err)
				}
			})
		}
		all.Wait()
	})
	t.Run("files", func(t *testing.T) {
		if err := vm.WriteFile(ctx, "/run/a file", 0o640, strings.NewReader("content")); err != nil {
			t.Fatal(err)
		}
		if got, err := vm.ReadFile(ctx, "/run/a file"); err != nil || string(got) != "content" {
			t.Errorf("got %q, %v", got, err)
		}
		if _, err := vm.ReadFile(ctx, "/run/none"); err == nil || !strings.Contains(err.Error(), "/run/none") {
			t.Errorf("got %v", err)
		}
		if err := vm.WriteFile(ctx, "/proc/sys/kernel/hostname", 0, strings.NewReader("renamed")); err != nil {
			t.Error(err)
		}
	})
	t.Run("the clock starts where it was set", func(t *testing.T) {
		if got := run(t, vm, "tool", "date"); string(got.Stdout) != "2031-05-06\n" {
			t.Errorf("got %s", got.Stdout)
		}
	})
	t.Run("ports", func(t *testing.T) {
		brief, cancel := context.WithTimeout(ctx, 700*time.Millisecond)
		defer cancel()
		if err := vm.WaitForPort(brief, 80); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nothing listens, and the wait gave %v", err)
		}
		// The server keeps the command's output open; the command ends anyway.
		run(t, vm, "tool", "listen", "80")
		if err := vm.WaitForPort(ctx, 80); err != nil {
			t.Fatal(err)
		}
		connection, err := net.Dial("tcp", vm.ForwardedAddress(80))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if got, err := io.ReadAll(connection); err != nil || string(got) != "hello from the guest\n" {
			t.Errorf("got %q, %v", got, err)
		}
		if vm.ForwardedAddress(81) == "" || vm.ForwardedAddress(81) == vm.ForwardedAddress(80) || vm.ForwardedAddress(82) != "" {
			t.Errorf("ports %q, %q, %q", vm.ForwardedAddress(80), vm.ForwardedAddress(81), vm.ForwardedAddress(82))
		}
	})
	t.Run("units", func(t *testing.T) {
		unit := func(state string) {
			t.Helper()
			if err := vm.WriteFile(ctx, "/run/unit/a.service", 0, strings.NewReader(state)); err != nil {
				t.Fatal(err)
			}
		}
		var problem *UnitError
		if err := vm.WaitForUnit(ctx, "a.service"); !errors.As(err, &problem) || problem.State != "not-found" {
			t.Errorf("no unit: %v", err)
		}
		run(t, vm, "tool", "mkdir", "/run/unit")
		unit("activating loaded")
		waited := make(chan error)
		go func() { waited <- vm.WaitForUnit(ctx, "a.service") }()
		select {
		case err := <-waited:
			t.Errorf("a unit that is activating was not waited for: %v", err)
		case <-time.After(500 * time.Millisecond):
		}
		unit("active loaded")
		if err := <-waited; err != nil {
			t.Error(err)
		}
		for _, state := range []string{"active loaded Job=7", "active loaded restarting"} {
			unit(state)
			go func() { waited <- vm.WaitForUnit(ctx, "a.service") }()
			select {
			case err := <-waited:
				t.Errorf("%s was taken for a unit that stays active: %v", state, err)
			case <-time.After(3 * settle):
			}
			unit("failed loaded")
			if err := <-waited; !errors.As(err, &problem) || problem.State != "failed" {
				t.Errorf("%s, then failed: %v", state, err)
			}
		}
		unit("failed loaded")
		if err := vm.WaitForUnit(ctx, "a.service"); !errors.As(err, &problem) || problem.State != "failed" || !strings.Contains(problem.Status, "a.service") {
			t.Errorf("failed unit: %v", err)
		}
	})
	t.Run("a picture of the screen", func(t *testing.T) {
		picture, err := vm.Screenshot(ctx)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := png.Decode(bytes.NewReader(picture))
		if err != nil || decoded.Bounds().Dx() < 320 {
			t.Errorf("got %v, %v", decoded.Bounds(), err)
		}
	})
	t.Run("the console takes and shows what is typed", func(t *testing.T) {
		in, keys, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out := &tail{limit: 1 << 16}
		attached, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			vm.Attach(attached, in, out)
		}()
		fmt.Fprintf(keys, "typed by a person\n")
		keys.Close()
		for !strings.Contains(string(out.bytes()), "typed by a person") {
			if err := pause(ctx, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		<-ended
	})
	t.Run("it powers off", func(t *testing.T) {
		if err := vm.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := vm.Exec(ctx, Command{Argv: []string{"tool", "true"}}); !errors.Is(err, ErrOff) {
			t.Errorf("a command in a machine that is off: %v", err)
		}
	})
}

func TestDiskSurvivesCrashAndBaseStaysUntouched(t *testing.T) {
	t.Parallel()
	disk := testDisk(t)
	before, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	for name, give := range map[string]func(*Config){
		"a file":          func(c *Config) { c.Disk = disk },
		"of this process": func(c *Config) { c.Base = &givenDisk{Reader: bytes.NewReader(before)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testConfig(t)
			give(&c)
			c.Forwards = []Forward{{GuestPort: 80}}
			survives(t, start(t, c))
			after, err := os.ReadFile(disk)
			if err != nil || !bytes.Equal(before, after) {
				t.Errorf("the base image was written (%v)", err)
			}
		})
	}
}

// givenDisk is a disk of this process.
type givenDisk struct {
	*bytes.Reader
	closed int
}

func (d *givenDisk) Close() error { d.closed++; return nil }

func (d *givenDisk) Digest() string { return "given" }

// TestADiskIsGivenBackOnce starts no VM, and one that ends.
func TestADiskIsGivenBackOnce(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(testDisk(t))
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(t)
	base := &givenDisk{Reader: bytes.NewReader(content)}
	c.Base, c.Bus = base, "none"
	if _, err := Start(t.Context(), c); err == nil || base.closed != 1 {
		t.Errorf("%v, and the disk was given back %d times", err, base.closed)
	}
	c.Bus = VirtioBlock
	vm, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := vm.Close(); err != nil || base.closed != 2 {
			t.Errorf("%v, and the disk was given back %d times", err, base.closed-1)
		}
	}
}

// survives writes to a machine's disk, and has it crash and reboot.
func survives(t *testing.T, vm *VM) {
	ctx := patience(t)
	port := vm.ForwardedAddress(80)
	run(t, vm, "tool", "keep", "synced", "yes", "sync")
	run(t, vm, "tool", "keep", "unsynced", "lost")
	if err := vm.Crash(); err != nil {
		t.Fatal(err)
	}
	if _, err := vm.Exec(ctx, Command{Argv: []string{"tool", "true"}}); !errors.Is(err, ErrOff) {
		t.Errorf("after a crash: %v", err)
	}
	if err := vm.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	if got, err := vm.ReadFile(ctx, "/disk/synced"); err != nil || string(got) != "yes" {
		t.Errorf("after a crash: %q, %v", got, err)
	}
	if got, err := vm.ReadFile(ctx, "/disk/unsynced"); err == nil && len(got) > 0 {
		t.Errorf("a crash lost nothing: %q", got)
	}
	if vm.ForwardedAddress(80) != port {
		t.Errorf("the port moved from %s to %s", port, vm.ForwardedAddress(80))
	}
	run(t, vm, "tool", "keep", "rebooted", "yes")
	waiting := make(chan error, 1)
	go func() {
		_, err := vm.Exec(ctx, Command{Argv: []string{"tool", "sleep"}})
		waiting <- err
	}()
	if err := vm.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-waiting; !errors.Is(err, agent.ErrRestarted) {
		t.Errorf("a command across a reboot: %v", err)
	}
	if got, err := vm.ReadFile(ctx, "/disk/rebooted"); err != nil || string(got) != "yes" {
		t.Errorf("after a reboot: %q, %v", got, err)
	}
	if err := vm.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	run(t, vm, "tool", "true")
}

func TestKernelPanicEndsWaiting(t *testing.T) {
	t.Parallel()
	vm := start(t, testConfig(t))
	ctx := patience(t)
	_, err := vm.Exec(ctx, Command{Argv: []string{"tool", "panic"}})
	if err == nil || !strings.Contains(err.Error(), "panicked") {
		t.Errorf("got %v", err)
	}
}

func TestContextEndsMachine(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	vm, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	done := vm.Done()
	cancel()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("QEMU still runs")
	}
	vm.Close()
	if left, _ := filepath.Glob(filepath.Join(c.RunDirectory, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPortInUseIsNamed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	c := testConfig(t)
	c.Forwards = []Forward{{HostPort: listener.Addr().(*net.TCPAddr).Port, GuestPort: 80}}
	vm, err := Start(t.Context(), c)
	if err == nil {
		vm.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}
