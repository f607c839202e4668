package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func TestModulesThatCannotBeLoadedAreNamed(t *testing.T) {
	directory := t.TempDir()
	for _, test := range []struct{ order, load, want string }{
		{"\nmissing.ko\n", "always missing.ko\n", "missing.ko: no such file"},
		{"a.ko\nb.ko a.ko\nc.ko\n", "always b.ko\n", "b.ko: no such file"}, // after one that it waits for
		{"a.ko b.ko\nb.ko\n", "", "a.ko comes before b.ko"},
		{"a.ko never-mentioned.ko\n", "", "never-mentioned.ko"},
		{"a.ko\na.ko\n", "", "a.ko is there twice"},
		{"a.ko a.ko\n", "", "a.ko comes before a.ko"},
		{"a.ko\n", "always b.ko\n", `what "b.ko" needs`},
		{"a.ko\n", "always\n", `what "" needs`},
	} {
		write(t, filepath.Join(directory, "order"), test.order)
		write(t, filepath.Join(directory, "load"), test.load)
		m, err := readModules(directory)
		if err == nil {
			err = notForThisKernel(m.loadInTurn("always"))
		}
		checkRemedy(t, test.order+test.load, err, test.want)
	}
	m, err := readModules(t.TempDir())
	if err != nil || m.loadInTurn("always") != nil {
		t.Errorf("without modules: %v", err)
	}
}

// sysfs plays the devices of a machine.
func sysfs(t *testing.T, aliases ...string) string {
	t.Helper()
	sys := t.TempDir()
	for i, alias := range aliases {
		bus, _, _ := strings.Cut(alias, ":")
		write(t, filepath.Join(sys, "bus", bus, "devices", string(rune('a'+i)), "modalias"), alias+"\n")
	}
	must(t, os.MkdirAll(filepath.Join(sys, "bus/pci/devices/without-alias"), 0o755))
	return sys
}

func TestPatternsMatchAsModprobesDo(t *testing.T) {
	there := devices{sysfs(t, "pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", "virtio:d00000002v00001AF4", "scsi:t-0x00", "acpi:PNP0303:"), map[string][]string{}}
	for patterns, want := range map[string]bool{
		"pci:v*d*sv*sd*bc01sc06i01*":                            true,
		"pci:v0000105Ad*sv*sd* pci:v00008086d00002922sv*sd*bc*": true,
		"pci:v00008086d00002923sv*sd*bc*":                       false,
		"virtio:d00000002v*":                                    true,
		"virtio:d0000000[2-4]v*":                                true,
		"virtio:d00000003v*":                                    false,
		"virtio:d0000000":                                       false, // not as a prefix
		"scsi:t-0x00*":                                          true,
		"acpi*:PNP0303:*":                                       true,
		"usb:v*":                                                false,
		"":                                                      false,
		"[":                                                     false,
	} {
		if got := there.have(patterns); got != want {
			t.Errorf("%q: %v, want %v", patterns, got, want)
		}
	}
}

func TestNetworkDevicesAreKnownByTheirClass(t *testing.T) {
	network := []string{
		"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00", // Ethernet
		"pci:v00008086d00002723sv00008086sd00000084bc02sc80i00", // Wi-Fi
		"virtio:d00000001v00001AF4",
	}
	others := []string{
		"pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01", "pci:v0000bc02d00000002sv00000002sd00000002bc03sc02i00",
		"virtio:d00000010v00001AF4", "virtio:d00000002v00001AF4",
	}
	there := devices{sysfs(t, append(others, network...)...), map[string][]string{}}
	if got := slices.Sorted(there.like(networkDevices)); !slices.Equal(got, slices.Sorted(slices.Values(network))) {
		t.Errorf("have %q, want %q", got, network)
	}
}

func TestDriversAreTriedOnceInTheirOrder(t *testing.T) {
	directory := t.TempDir()
	write(t, filepath.Join(directory, "order"), "a.ko\nb.ko\nc.ko\nd.ko\n")
	write(t, filepath.Join(directory, "load"), "device b.ko pci:v1*\nalways d.ko\ndevice c.ko usb:v*\ndevice a.ko pci:v* x:y*\nkeyboard d.ko pci:v*\n")
	m, err := readModules(directory)
	must(t, err)
	sys := sysfs(t, "pci:v1")
	for _, want := range []string{"b.ko", "a.ko", ""} {
		name, err := m.loadNext(sys, "device")
		if name != want || (err == nil) != (want == "") {
			t.Errorf("%q, %v; want %q, which there is no file of", name, err, want)
		}
	}
	// What the driver brought: a bus with one more device.
	write(t, filepath.Join(sys, "bus/usb/devices/1/modalias"), "usb:v2\n")
	if name, _ := m.loadNext(sys, "device"); name != "c.ko" {
		t.Errorf("%q, want c.ko", name)
	}
	if name, _ := m.loadNext(sys, "keyboard"); name != "d.ko" {
		t.Errorf("%q, want d.ko", name)
	}
}
