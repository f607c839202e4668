package main

import "os"

// modprobe is the system's own, with its blacklists and options of modules.
const modprobe = "/usr/sbin/modprobe"

// networkDevices are the patterns of devices that connect to a network: PCI's base class
// 02 and virtio's device 1.
const networkDevices = "pci:v*d*sv*sd*bc02sc*i* virtio:d00000001v*"

// startNetworkDrivers has the drivers of network devices loaded while systemd begins.
// udev would load them too, but hears of what a driver brings behind all other devices
// that it then asks for, and whatever waits for the network waits that long. A device
// that is there before is among the first. Nothing that fails here is told: udev tries
// the same, and says so.
func startNetworkDrivers() {
	there := devices{"/sys", map[string][]string{}}
	arguments := []string{modprobe, "--all", "--use-blacklist", "--quiet"}
	options := len(arguments)
	for alias := range there.like(networkDevices) {
		arguments = append(arguments, alias)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil || len(arguments) == options {
		return
	}
	defer null.Close()
	os.StartProcess(modprobe, arguments, &os.ProcAttr{Files: []*os.File{null, null, null}}) // systemd is its parent soon
}
