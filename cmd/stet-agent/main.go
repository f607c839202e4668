// Command stet-agent runs in a guest that stet started in QEMU and carries
// out what the host asks for over the virtio-serial port "stet.agent". The
// driver (internal/vm) puts it into /run by a second initrd archive, so the
// guest's system does not know it.
//
// As /init of an initramfs it only says that user space was reached and
// resets the machine: so the driver finds out whether KVM truly runs a guest.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/vm/agent"
)

// portName is the name that the driver gives the port on QEMU's command line.
const portName = "stet.agent"

func main() {
	if os.Getpid() == 1 {
		probe()
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer stop()
	if err := run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "stet-agent:", err)
		os.Exit(1)
	}
}

// probe never returns: when PID 1 does, the kernel panics.
func probe() {
	fmt.Println("stet-agent: user space reached")
	for {
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
		time.Sleep(time.Second)
	}
}

func run(ctx context.Context) error {
	path, err := findPort(ctx, "/sys/class/virtio-ports")
	if err != nil {
		return err
	}
	port, err := os.OpenFile(filepath.Join("/dev", path), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { port.Close() })
	defer stop()
	err = agent.Serve(ctx, port)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// findPort waits for the port. It reads sysfs itself because it starts before
// udev has made /dev/virtio-ports; a kernel with virtio_console as a module
// loads it meanwhile.
func findPort(ctx context.Context, class string) (device string, err error) {
	for {
		entries, err := os.ReadDir(class)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		for _, entry := range entries {
			name, err := os.ReadFile(filepath.Join(class, entry.Name(), "name"))
			if err == nil && strings.TrimSpace(string(name)) == portName {
				return entry.Name(), nil
			}
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
