package hardware

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// laptop is a tree of /sys and /proc as one: an NVMe disk behind a PCI bridge, a
// smaller SATA disk, a stick, a wireless card, a graphics card.
func laptop(t *testing.T) Host {
	t.Helper()
	root := t.TempDir()
	h := Host{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc"), Architecture: "amd64", Firmware: func(module string) []string {
		return map[string][]string{
			"iwlwifi": {"iwlwifi-so-a0-gf-a0-89.ucode"}, "i915": {"i915/adlp_dmc.bin"}, "oddity": {"odd/one.bin"},
		}[module]
	}}
	write(t, h.Proc, "cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme\n")
	write(t, h.Sys, "firmware/efi/fw_platform_size", "64\n")
	const pci = "devices/pci0000:00/"
	device(t, h, "pci", pci+"0000:00:06.0", "pcieport", "") // built in
	device(t, h, "pci", pci+"0000:00:06.0/0000:01:00.0", "nvme", "nvme")
	disk(t, h, pci+"0000:00:06.0/0000:01:00.0/nvme/nvme0", "nvme0n1", 1000215216, "SAMSUNG", "0")
	device(t, h, "pci", pci+"0000:00:17.0", "ahci", "ahci")
	device(t, h, "scsi", pci+"0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0", "sd", "sd_mod")
	disk(t, h, pci+"0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0", "sda", 250069680, "OLD", "0")
	device(t, h, "scsi", pci+"0000:00:14.0/usb1/0:0:0:1", "sd", "sd_mod")
	disk(t, h, pci+"0000:00:14.0/usb1/0:0:0:1", "sdb", 60000000, "STICK", "1")
	write(t, h.Sys, "devices/virtual/block/loop0/size", "8\n")
	link(t, h, "devices/virtual/block/loop0", "block/loop0")
	device(t, h, "pci", pci+"0000:00:14.3", "iwlwifi", "iwlwifi")
	device(t, h, "pci", pci+"0000:00:02.0", "i915", "i915")
	device(t, h, "pci", pci+"0000:00:03.0", "oddity", "oddity")
	return h
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// link makes a relative link, as sysfs does.
func link(t *testing.T, h Host, target, name string) {
	t.Helper()
	file := filepath.Join(h.Sys, name)
	relative, err := filepath.Rel(filepath.Dir(file), filepath.Join(h.Sys, target))
	if err := errors.Join(err, os.MkdirAll(filepath.Dir(file), 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(relative, file); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
}

func device(t *testing.T, h Host, bus, at, driver, module string) {
	t.Helper()
	write(t, h.Sys, at+"/modalias", "x\n")
	write(t, h.Sys, "bus/"+bus+"/drivers/"+driver+"/bind", "")
	link(t, h, "bus/"+bus+"/drivers/"+driver, at+"/driver")
	link(t, h, at, "bus/"+bus+"/devices/"+filepath.Base(at))
	if module != "" {
		write(t, h.Sys, "module/"+module+"/refcnt", "1\n")
		link(t, h, "module/"+module, "bus/"+bus+"/drivers/"+driver+"/module")
	}
}

func disk(t *testing.T, h Host, at, name string, sectors int, model, removable string) {
	t.Helper()
	write(t, h.Sys, at+"/model", model+"\n")
	write(t, h.Sys, at+"/block/"+name+"/size", fmt.Sprintln(sectors))
	write(t, h.Sys, at+"/block/"+name+"/removable", removable+"\n")
	link(t, h, at, at+"/block/"+name+"/device")
	link(t, h, at+"/block/"+name, "block/"+name)
}

func TestDetectALaptop(t *testing.T) {
	got, err := Detect(laptop(t))
	want := &Hardware{
		Modules:  []string{"ahci", "nvme", "sd_mod"},
		Packages: []string{"firmware-intel-graphics", "firmware-iwlwifi", "intel-microcode"},
		Unknown:  []string{"odd/one.bin"},
		Disks:    []Disk{{"nvme0n1", "SAMSUNG", 1000215216 * 512}, {"sda", "OLD", 250069680 * 512}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestAGuestHasNoMicrocode(t *testing.T) {
	h := laptop(t)
	write(t, h.Proc, "cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu hypervisor\n")
	if got := h.microcode(); got != "" {
		t.Errorf("a guest gets %s", got)
	}
	write(t, h.Proc, "cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: fpu\n")
	if got := h.microcode(); got != "amd64-microcode" {
		t.Errorf("an AMD gets %q", got)
	}
}

func TestWhatStetCannotInstallOnIsRefused(t *testing.T) {
	for want, change := range map[string]func(*testing.T, *Host){
		"arm64":            func(_ *testing.T, h *Host) { h.Architecture = "arm64" },
		"BIOS":             func(t *testing.T, h *Host) { _ = os.RemoveAll(filepath.Join(h.Sys, "firmware")) },
		"encrypted (LUKS)": func(t *testing.T, h *Host) { write(t, h.Sys, "block/dm-0/dm/uuid", "CRYPT-LUKS2-abc-root\n") },
		"a volume of LVM":  func(t *testing.T, h *Host) { write(t, h.Sys, "block/dm-0/dm/uuid", "LVM-abc\n") },
		"a RAID":           func(t *testing.T, h *Host) { write(t, h.Sys, "block/md0/size", "8\n") },
	} {
		h := laptop(t)
		change(t, &h)
		var unsupported *UnsupportedError
		if _, err := Detect(h); !errors.As(err, &unsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
