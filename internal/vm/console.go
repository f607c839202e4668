package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// leaveKey is Ctrl-], by which telnet(1) and virsh(1) are left too.
const leaveKey = 0x1d

// Attach connects in and out with the serial console until the machine goes
// off (a reboot is not that), ctx ends, or a person types Ctrl-]; left says that it was the last.
// When in is a terminal it is raw meanwhile, so that Ctrl-C is the guest's,
// and the guest learns its size. When in ends, output goes on.
func (vm *VM) Attach(ctx context.Context, in *os.File, out io.Writer) (left bool, err error) {
	done := vm.Done()
	terminal := term.IsTerminal(int(in.Fd()))
	if terminal {
		before, err := term.MakeRaw(int(in.Fd()))
		if err != nil {
			return false, fmt.Errorf("make the terminal raw: %w", err)
		}
		defer term.Restore(int(in.Fd()), before)
	}
	vm.serial.attach(out)
	defer vm.serial.attach(nil)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if terminal {
		go vm.followSize(ctx, int(in.Fd()))
	}
	leaving := make(chan struct{})
	typed := make(chan struct{})
	go func() {
		defer close(typed)
		if vm.copyKeys(ctx, in, terminal) {
			close(leaving)
		}
	}()
	defer func() {
		cancel()
		<-typed // nobody reads the terminal any more when Attach returns
	}()
	select {
	case <-leaving:
		return true, nil
	case <-done:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// copyKeys sends what is typed; true means the key to leave.
func (vm *VM) copyKeys(ctx context.Context, in *os.File, terminal bool) bool {
	// poll(2) and not a plain read: a read of a terminal cannot be ended, and
	// would swallow the first key after the console was left.
	wanted := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
	buffer := make([]byte, 1024)
	for ctx.Err() == nil {
		ready, err := unix.Poll(wanted, 100)
		if err == unix.EINTR || err == nil && ready == 0 {
			continue
		}
		if err != nil {
			return false
		}
		n, err := unix.Read(int(in.Fd()), buffer)
		if n > 0 {
			keys := buffer[:n]
			if at := bytes.IndexByte(keys, leaveKey); terminal && at >= 0 {
				_, _ = vm.serial.Write(keys[:at])
				return true
			}
			_, _ = vm.serial.Write(keys)
		}
		if n == 0 || err != nil && err != unix.EINTR && err != unix.EAGAIN {
			return false
		}
	}
	return false
}

// followSize tells the guest the terminal's size, which a serial line cannot,
// in each boot and at each change.
func (vm *VM) followSize(ctx context.Context, terminal int) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, unix.SIGWINCH)
	defer signal.Stop(changed)
	for {
		m, err := vm.running()
		if err != nil {
			return
		}
		if width, height, err := term.GetSize(terminal); err == nil {
			line := fmt.Sprintf("stty -F /dev/ttyS0 cols %d rows %d", width, height)
			command := Shell(line)
			command.Timeout = 10 * time.Second
			_, _ = vm.Exec(ctx, command) // a wrong size is no reason to stop
		}
		select {
		case <-changed:
		case <-m.over:
			if m.next == nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}
