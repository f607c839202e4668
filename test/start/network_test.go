package start_test

import (
	"testing"

	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// TestNetworkDevicesAreThereBeforeUdev has no udev at all.
func TestNetworkDevicesAreThereBeforeUdev(t *testing.T) {
	m := guest.Start(t, program.Example(t, "minimal"), func(c *vm.Config) {
		c.CommandLine += " net.ifnames=0 systemd.mask=systemd-udevd.service systemd.mask=systemd-udev-trigger.service" +
			" systemd.mask=systemd-udevd-control.socket systemd.mask=systemd-udevd-kernel.socket"
	})
	const wait = `for i in $(seq 100); do [ -e /sys/class/net/eth0 ] && break; sleep 0.2; done; `
	if have, _ := m.Try(t, wait+`basename $(readlink /sys/class/net/eth0/device/driver)`); have != "virtio_net" {
		t.Errorf("the network's device has driver %q\n%s", have, m.Run(t, "ls /sys/class/net; dmesg | tail -20"))
	}
	if have, _ := m.Try(t, "systemctl is-active systemd-udevd.service"); have != "inactive" {
		t.Errorf("udev is %s", have)
	}
}
