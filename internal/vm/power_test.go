package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"stet/internal/vm/agent"
)

func pid(vm *VM) int {
	vm.mu.Lock()
	defer vm.mu.Unlock()
	return vm.current.child.command.Process.Pid
}

// goDown has the guest reboot or power off, as a program in it does.
func goDown(t *testing.T, vm *VM, verb string) {
	t.Helper()
	if err := vm.systemctl(patience(t), verb); err != nil {
		t.Fatal(err)
	}
}

// await waits until something has come true.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx := patience(t)
	for !is() {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestGuestThatRebootsByItselfComesUpAgain(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Clock = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	c.Forwards = []Forward{{GuestPort: 80}}
	vm := start(t, c)
	begin := time.Now()
	ctx := patience(t)
	if err := vm.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	in, keys, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer keys.Close()
	seen := &tail{limit: 1 << 16}
	type end struct {
		left bool
		err  error
	}
	attached := make(chan end, 1)
	go func() {
		left, err := vm.Attach(ctx, in, seen)
		attached <- end{left, err}
	}()
	done, port, first := vm.Done(), vm.ForwardedAddress(80), pid(vm)

	// As a person does who types reboot, or a unit: nobody here asks for it.
	goDown(t, vm, "reboot")
	await(t, "the next QEMU", func() bool { return pid(vm) != first })
	if got := run(t, vm, "tool", "seconds"); true {
		seconds, err := strconv.ParseInt(string(got.Stdout), 10, 64)
		want := c.Clock.Add(time.Since(begin) - 3*time.Second)
		if err != nil || time.Unix(seconds, 0).Before(want) {
			t.Errorf("the clock went back to %s", time.Unix(seconds, 0).UTC())
		}
	}
	run(t, vm, "tool", "listen", "80")
	if err := vm.WaitForPort(ctx, 80); err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", port)
	if err != nil {
		t.Fatalf("the port of the first boot leads nowhere: %v", err)
	}
	connection.Close()
	select {
	case <-done:
		t.Error("a reboot was reported as the machine's end")
	default:
	}
	if n := bytes.Count(vm.SerialLog(), []byte("guest: ready")); n != 2 {
		t.Errorf("the serial log has %d boots", n)
	}
	fmt.Fprintf(keys, "typed after the reboot\n")
	await(t, "the console's echo", func() bool { return strings.Contains(string(seen.bytes()), "typed after the reboot") })

	goDown(t, vm, "poweroff")
	if got := <-attached; got.left || got.err != nil {
		t.Errorf("at the machine's end Attach gave %+v", got)
	}
	<-done
	if !strings.Contains(string(seen.bytes()), "guest: ready") {
		t.Error("who was attached did not see the reboot")
	}
}

func TestResetWhileBooting(t *testing.T) {
	t.Parallel()
	vm := start(t, testConfig(t))
	ctx := patience(t)
	waiting := make(chan error, 1)
	go func() { waiting <- vm.WaitReady(ctx) }()
	first := pid(vm)
	if err := vm.Reset(ctx); err != nil {
		t.Fatal(err)
	}
	if pid(vm) == first {
		t.Error("a reset happened inside QEMU, where the next boot is slow")
	}
	if err := <-waiting; err != nil {
		t.Errorf("a wait over a reset: %v", err)
	}
}

func TestKernelThatPanicsAndRestarts(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.CommandLine += " panic=1"
	vm := start(t, c)
	if _, err := vm.Exec(patience(t), Command{Argv: []string{"tool", "panic"}}); !errors.Is(err, agent.ErrRestarted) {
		t.Errorf("the command in whose time the kernel panicked: %v", err)
	}
	run(t, vm, "tool", "true")
	if !bytes.Contains(vm.SerialLog(), []byte("Kernel panic")) {
		t.Error("the serial log has no panic")
	}
}

// Emulation is asked for here by Accelerator, whatever the host can do.
func TestKernelThatTheEmulatorBroke(t *testing.T) {
	t.Parallel()
	for _, broken := range []int{1, brokenBoots + 6} {
		t.Run(strconv.Itoa(broken), func(t *testing.T) {
			t.Parallel()
			c := testConfig(t)
			c.Accelerator = &Accelerator{}
			c.Disk = testDisk(t)
			c.CommandLine += " break-boots=" + strconv.Itoa(broken)
			vm := start(t, c)
			err := vm.WaitReady(patience(t))
			if broken < brokenBoots && err != nil {
				t.Errorf("a boot that was begun again: %v", err)
			}
			if broken > brokenBoots && (err == nil || !strings.Contains(err.Error(), "panicked")) {
				t.Errorf("a kernel that breaks for ever: %v", err)
			}
			if n := bytes.Count(vm.SerialLog(), []byte("booting again")); n < min(broken, brokenBoots) || n > brokenBoots { // some break by themselves
				t.Errorf("%d boots were begun again", n)
			}
		})
	}
}

func TestCrashInTheMiddleOfAReboot(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	c.Disk = testDisk(t)
	vm := start(t, c)
	ctx := patience(t)
	run(t, vm, "tool", "keep", "file", "kept", "sync")
	m, err := vm.running()
	if err != nil {
		t.Fatal(err)
	}
	goDown(t, vm, "reboot")
	<-m.child.done // and the next may or may not be there
	if err := vm.Crash(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-vm.Done():
	default:
		t.Error("a machine that crashed is on")
	}
	if _, err := vm.Exec(ctx, Command{Argv: []string{"tool", "true"}}); !errors.Is(err, ErrOff) {
		t.Errorf("a command after the crash: %v", err)
	}
	if err := vm.Boot(ctx); err != nil {
		t.Fatal(err)
	}
	if err := vm.Boot(ctx); err == nil {
		t.Error("a machine that is on was booted")
	}
	if got, err := vm.ReadFile(ctx, "/disk/file"); err != nil || string(got) != "kept" {
		t.Errorf("after the crash: %q, %v", got, err)
	}
}

func TestContextEndsMachineThatReboots(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	ctx, cancel := context.WithCancel(t.Context())
	vm, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	m, err := vm.running()
	if err != nil {
		t.Fatal(err)
	}
	goDown(t, vm, "reboot")
	<-m.child.done
	cancel()
	select {
	case <-vm.Done():
	case <-time.After(20 * time.Second):
		t.Error("QEMU still runs")
	}
}

func TestReservedPortIsQemus(t *testing.T) {
	r, forwards, err := reserve([]Forward{{GuestPort: 80}, {GuestPort: 81}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.release()
	if forwards[0].HostPort == forwards[1].HostPort || forwards[0].HostPort == 0 {
		t.Fatalf("got %v", forwards)
	}
	// Go's listeners set SO_REUSEADDR, as QEMU's do; and one may follow
	// another at once.
	for range 2 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", forwards[0].HostPort))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := reserve(forwards[:1]); err == nil || !strings.Contains(err.Error(), "in use") {
			t.Errorf("a port somebody listens on was reserved (%v)", err)
		}
		listener.Close()
	}
}
