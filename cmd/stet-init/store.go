package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
)

const (
	// storeSerial is the serial number of the virtio disk that is the store.
	storeSerial = "stet-store"
	// storeFileSystem is the type of the file system of a store.
	storeFileSystem = "ext4"
	// storeDeadline is how long a disk may take to appear after its driver.
	storeDeadline = 20 * time.Second
)

func (m *machine) mountStore() error {
	device, err := m.waitForStore("/sys/block")
	if err != nil {
		return err
	}
	m.lap("disk")
	mountIt := func() error {
		return mount.Device(device, m.at("stet"), storeFileSystem, unix.MS_NOATIME, "")
	}
	err = mountIt()
	if errors.Is(err, unix.ENODEV) {
		// The file system is a module, too, and not loaded yet.
		if err := m.finishLoadingModules(); err != nil {
			return err
		}
		m.modules <- nil
		err = mountIt()
	}
	if err != nil {
		return remedy{err, "The disk may be damaged. Start another system and check it: e2fsck " + device + "."}
	}
	// /etc/shadow is an object, too.
	if info, err := os.Stat(m.at("stet")); err == nil && info.Mode().Perm() != 0o700 {
		if err := os.Chmod(m.at("stet"), 0o700); err != nil {
			m.problem("/stet can be read by everybody: %v", err)
		}
	}
	m.lap("store")
	return nil
}

// waitForStore returns the device of the disk with the store. Its driver may
// still be loading.
func (m *machine) waitForStore(blockDevices string) (string, error) {
	deadline := time.Now().Add(storeDeadline)
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		name, seen := findStore(blockDevices)
		if name != "" {
			device := "/dev/" + name
			if _, err := os.Stat(device); err == nil {
				return device, nil
			}
		}
		select {
		case err := <-m.modules:
			if err != nil {
				return "", err
			}
			m.modules <- nil
		default:
		}
		if time.Now().After(deadline) {
			return "", noStore(seen)
		}
		select {
		case <-m.loaded: // perhaps it was the disk's driver
			wait = time.Millisecond
		case <-time.After(wait):
		}
	}
}

// findStore looks for the disk among the block devices in sysfs. It also returns
// what disks there are, for people.
func findStore(blockDevices string) (name string, seen []string) {
	entries, err := os.ReadDir(blockDevices)
	if err != nil {
		return "", nil
	}
	for _, entry := range entries {
		serial, err := os.ReadFile(filepath.Join(blockDevices, entry.Name(), "serial"))
		if err == nil && strings.TrimSpace(string(serial)) == storeSerial {
			return entry.Name(), nil
		}
		seen = append(seen, fmt.Sprintf("%s (serial number %q)", entry.Name(), strings.TrimSpace(string(serial))))
	}
	return "", seen
}

func noStore(seen []string) error {
	what := "no disk at all was found"
	if len(seen) > 0 {
		what = "the disks found are " + strings.Join(seen, ", ")
	}
	return remedy{fmt.Errorf("the disk with the store was not found within %v: %s", storeDeadline, what),
		"A virtual machine needs a virtio disk with the serial number " + storeSerial + ". Is the disk connected?"}
}

// readManifest reads the manifest of the system to start.
func (m *machine) readManifest() error {
	digest := m.commands.system
	text, err := os.ReadFile(m.at("stet/systems", digest))
	if err != nil {
		return missingManifest(digest, err)
	}
	m.manifest, err = parseManifest(text, digest)
	return err
}
