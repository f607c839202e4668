package facts

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf16"

	"stet/internal/boot"
	"stet/internal/drift"
	"stet/internal/generation"
)

// loader looks at the ESP, and at what the firmware was told.
func (m Machine) loader(seen *drift.Seen) error {
	var err error
	if seen.Firmware, err = m.chosen(); err != nil || m.ESP == "" {
		return err
	}
	history, err := generation.In(m.Store.Dir()).List()
	if err != nil {
		return err
	}
	// An entry of no generation is nobody's: records are written first, and go last.
	known := map[int]bool{}
	for _, d := range history.Damaged {
		known[d.Number] = true
	}
	texts := map[int]string{}
	for _, g := range history.Generations {
		known[g.Number] = true
		s, err := System(m.Store, g.System)
		if err != nil {
			continue // nothing says any more what its entry was
		}
		texts[g.Number] = string(boot.Entry{
			Machine: s.Machine, Generation: g.Number, System: g.System,
			Kernel: s.Kernel.Digest, Initrd: s.Initrd.Digest, CommandLine: s.CommandLine,
		}.Text())
	}
	files, err := boot.Contents(m.ESP)
	if err != nil {
		return err
	}
	for _, file := range files {
		found := drift.ESPFile{Path: file.Path, Known: file.Known, Text: file.Text, Want: file.Want}
		if file.Text != nil || !file.Known {
			found.Changed, _ = changed(filepath.Join(m.ESP, file.Path))
		}
		if entry, ok := boot.ParseName(path.Base(file.Path)); ok && file.Known && strings.EqualFold(path.Dir(file.Path), boot.EntriesDir) {
			found.Known = known[entry.Generation]
			if text, ok := texts[entry.Generation]; ok {
				found.Want = &text
			}
		}
		seen.ESP = append(seen.ESP, found)
	}
	return nil
}

// loaderVariables decide which entry is started, beside the order of entries
// (https://systemd.io/BOOT_LOADER_INTERFACE). The loader writes neither by itself,
// unless somebody presses a key.
var loaderVariables = []string{"LoaderEntryDefault", "LoaderEntryOneShot"}

// loaderVendor is who says what these variables mean.
const loaderVendor = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

// chosen gives those that are set.
func (m Machine) chosen() (map[string]string, error) {
	set := map[string]string{}
	for _, name := range loaderVariables {
		raw, err := os.ReadFile(m.at("sys/firmware/efi/efivars/" + name + "-" + loaderVendor))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if value := decodeVariable(raw); value != "" {
			set[name] = value
		}
	}
	return set, nil
}

// decodeVariable reads a text as efivarfs gives it: four bytes of attributes, then
// UTF-16 that ends with a zero.
func decodeVariable(raw []byte) string {
	var units []uint16
	for rest := raw[min(4, len(raw)):]; len(rest) > 1; rest = rest[2:] {
		units = append(units, binary.LittleEndian.Uint16(rest))
	}
	text, _, _ := strings.Cut(string(utf16.Decode(units)), "\x00")
	return text
}
