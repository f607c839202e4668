package hardware

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Host is where to look.
type Host struct {
	Sys, Proc    string // /sys and /proc
	Architecture string // as Go calls it

	// Firmware gives the files below /lib/firmware that a module may ask for,
	// as modinfo(8) does.
	Firmware func(module string) []string
}

// Hardware is what a description has to know.
type Hardware struct {
	Modules  []string // of the kernel, for its disks; sorted
	Packages []string // of the component non-free-firmware; sorted
	Unknown  []string // firmware that some module may ask for, of no package that Stet knows; sorted
	Disks    []Disk   // the largest first
}

// Disk is one that a machine could be installed on.
type Disk struct {
	Name  string // in /dev
	Model string
	Size  int64 // bytes
}

// UnsupportedError says what Stet cannot install on yet.
type UnsupportedError struct{ Reason string }

// Error implements error.
func (e *UnsupportedError) Error() string { return e.Reason }

// Detect looks at a host.
func Detect(h Host) (*Hardware, error) {
	if err := h.supported(); err != nil {
		return nil, err
	}
	found := &Hardware{}
	modules := map[string]bool{}
	var err error
	if found.Disks, err = h.disks(modules); err != nil {
		return nil, err
	}
	found.Modules = slices.Sorted(maps.Keys(modules))
	bound, err := h.boundModules()
	if err != nil {
		return nil, err
	}
	packages, unknown := map[string]bool{}, map[string]bool{}
	for _, module := range bound {
		for _, file := range h.Firmware(module) {
			if name := packageOf(file); name != "" {
				packages[name] = true
			} else {
				unknown[file] = true
			}
		}
	}
	if name := h.microcode(); name != "" {
		packages[name] = true
	}
	found.Packages, found.Unknown = slices.Sorted(maps.Keys(packages)), slices.Sorted(maps.Keys(unknown))
	return found, nil
}

// supported refuses what there is no way for yet.
func (h Host) supported() error {
	if h.Architecture != "amd64" {
		return &UnsupportedError{fmt.Sprintf("this machine is %s: Stet makes machines for amd64 only, for now", h.Architecture)}
	}
	if _, err := os.Stat(filepath.Join(h.Sys, "firmware/efi")); err != nil {
		return &UnsupportedError{"this machine was booted by BIOS: Stet's disks boot by UEFI only, for now; most firmware can be switched to it"}
	}
	blocks, err := os.ReadDir(filepath.Join(h.Sys, "block"))
	if err != nil {
		return fmt.Errorf("look for disks: %w", err)
	}
	for _, b := range blocks {
		if kind := h.layered(b.Name()); kind != "" {
			return &UnsupportedError{fmt.Sprintf("/dev/%s is %s: Stet installs on plain disks only, for now", b.Name(), kind)}
		}
	}
	return nil
}

// layered says what a block device is that is made of others.
func (h Host) layered(name string) string {
	if strings.HasPrefix(name, "md") {
		return "a RAID"
	}
	uuid := h.attribute("block", name, "dm/uuid")
	switch {
	case strings.HasPrefix(uuid, "CRYPT-"):
		return "encrypted (LUKS)"
	case strings.HasPrefix(uuid, "LVM-"):
		return "a volume of LVM"
	case strings.HasPrefix(uuid, "DMRAID-"):
		return "a RAID"
	}
	return ""
}

func (h Host) attribute(elements ...string) string {
	text, err := os.ReadFile(filepath.Join(append([]string{h.Sys}, elements...)...))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// disks lists them, and notes the modules that drive them: of the device itself
// and of all that it hangs on.
func (h Host) disks(modules map[string]bool) ([]Disk, error) {
	blocks, err := os.ReadDir(filepath.Join(h.Sys, "block"))
	if err != nil {
		return nil, fmt.Errorf("look for disks: %w", err)
	}
	devices, err := filepath.EvalSymlinks(h.Sys)
	if err != nil {
		return nil, fmt.Errorf("look for disks: %w", err)
	}
	var disks []Disk
	for _, b := range blocks {
		name := b.Name()
		sectors, err := strconv.ParseInt(h.attribute("block", name, "size"), 10, 64)
		node := filepath.Join(h.Sys, "block", name, "device")
		if _, missing := os.Stat(node); err != nil || sectors == 0 || missing != nil || h.attribute("block", name, "removable") == "1" {
			continue // no disk of hardware: loop, zram; or one that is pulled out
		}
		disks = append(disks, Disk{Name: name, Model: h.attribute("block", name, "device/model"), Size: sectors * 512})
		at, err := filepath.EvalSymlinks(node)
		if err != nil {
			return nil, fmt.Errorf("look at disk %s: %w", name, err)
		}
		for ; strings.HasPrefix(at, devices+"/"); at = filepath.Dir(at) {
			if module, err := moduleOf(at); err != nil {
				return nil, err
			} else if module != "" {
				modules[module] = true
			}
		}
	}
	slices.SortFunc(disks, func(a, b Disk) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), cmp.Compare(a.Name, b.Name))
	})
	return disks, nil
}

// moduleOf gives the module of the driver that a device is bound to; "" when
// there is none, or it is built into the kernel.
func moduleOf(device string) (string, error) {
	target, err := os.Readlink(filepath.Join(device, "driver/module"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the driver of %s: %w", device, err)
	}
	return filepath.Base(target), nil
}

// boundModules lists the modules of all drivers that have a device.
func (h Host) boundModules() ([]string, error) {
	links, err := filepath.Glob(filepath.Join(h.Sys, "bus/*/devices/*"))
	if err != nil {
		return nil, err
	}
	modules := map[string]bool{}
	for _, link := range links {
		module, err := moduleOf(link)
		if err != nil {
			return nil, err
		}
		if module != "" {
			modules[module] = true
		}
	}
	return slices.Sorted(maps.Keys(modules)), nil
}

// microcode names the package for the CPU. A guest's is its host's matter.
func (h Host) microcode() string {
	text, _ := os.ReadFile(filepath.Join(h.Proc, "cpuinfo"))
	vendor := ""
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "vendor_id":
			vendor = strings.TrimSpace(value)
		case "flags":
			if slices.Contains(strings.Fields(value), "hypervisor") {
				return ""
			}
		}
	}
	return map[string]string{"GenuineIntel": "intel-microcode", "AuthenticAMD": "amd64-microcode"}[vendor]
}
