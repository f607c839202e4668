package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// DevicesFile is where a switch notes which tree has which device number.
const DevicesFile = "/run/stet/devices"

// A Device is a tree that was mounted, under the number that the kernel gave its
// mount: maps of processes name files by it, also when it is mounted no more.
type Device struct {
	Number string // "MAJOR:MINOR", decimal as in mountinfo
	Name   string // of the tree: "usr"
	Tree   string // SHA-256 of its text
}

// Devices are the trees that were mounted since the machine started, by number.
type Devices map[string]Device

// ReadDevices reads a record. The kernel gives numbers again: the last line that
// has one counts. A missing record is empty.
func ReadDevices(file string) (Devices, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Devices{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which trees were mounted: %w", err)
	}
	return parseDevices(string(text)), nil
}

// parseDevices passes over what is no line of a record: the last one may be
// half, after a crash while it was written.
func parseDevices(text string) Devices {
	devices := Devices{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if strings.HasSuffix(line, "\n") && len(fields) == 3 {
			devices[fields[0]] = Device{fields[0], fields[1], fields[2]}
		}
	}
	return devices
}

// Note adds a line to a record.
func (d Device) Note(file string) error {
	record, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(record, "%s %s %s\n", d.Number, d.Name, d.Tree)
		err = errors.Join(err, record.Close())
	}
	if err != nil {
		return fmt.Errorf("note which tree is mounted: %w", err)
	}
	return nil
}
