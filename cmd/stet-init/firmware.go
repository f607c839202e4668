package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf16"

	"golang.org/x/sys/unix"

	"stet/internal/gpt"
	"stet/internal/mount"
)

// loaderVariable is where a boot loader leaves the partition that it was started
// from (https://systemd.io/BOOT_LOADER_INTERFACE).
const loaderVariable = "LoaderDevicePartUUID-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

// firmware is where the kernel shows what it knows of UEFI.
const firmware = "/sys/firmware/efi"

// loaderPartition asks the firmware for the partition that the boot loader was
// started from. It is zero when nobody says.
func (m *machine) loaderPartition() gpt.GUID {
	if _, err := os.Stat(firmware); err != nil {
		return gpt.GUID{} // no UEFI, or a kernel that was started without it
	}
	variables := filepath.Join(firmware, "efivars")
	if err := m.modules.loadAll("efi"); err != nil {
		m.problem("the firmware's variables cannot be read: %v", err)
		return gpt.GUID{}
	}
	// It stays, with systemd's options: systemd would mount it.
	if err := mount.New("efivarfs", variables, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		m.problem("the firmware's variables cannot be read: %v", err)
		return gpt.GUID{}
	}
	raw, err := os.ReadFile(filepath.Join(variables, loaderVariable))
	if errors.Is(err, fs.ErrNotExist) {
		return gpt.GUID{}
	}
	var partition gpt.GUID
	if err == nil {
		partition, err = parseLoaderVariable(raw)
	}
	if err != nil {
		m.problem("it is not known which disk the firmware started from: %v", err)
	}
	return partition
}

// parseLoaderVariable reads a variable as efivarfs gives it: four bytes of
// attributes, then UTF-16 that ends with a zero.
func parseLoaderVariable(raw []byte) (gpt.GUID, error) {
	if len(raw) < 4 || len(raw)%2 != 0 {
		return gpt.GUID{}, fmt.Errorf("the variable has %d bytes", len(raw))
	}
	var units []uint16
	for rest := raw[4:]; len(rest) > 0; rest = rest[2:] {
		unit := binary.LittleEndian.Uint16(rest)
		if unit == 0 {
			break
		}
		units = append(units, unit)
	}
	return gpt.ParseGUID(string(utf16.Decode(units)))
}
