package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/gpt"
	"stet/internal/mount"
)

const (
	// storeSerial is the serial number of the virtio disk that is the store.
	storeSerial = "stet-store"
	// storeFileSystem is the type of the file system of a store.
	storeFileSystem = "ext4"
	// storeDeadline is how long a disk may take to appear after the last driver.
	storeDeadline = 30 * time.Second
	// storeSettles is how long no further disk may appear before the only store
	// there is counts as the only one.
	storeSettles = time.Second
)

// A place is where the store is.
type place struct {
	device string
	disk   *disk // that has it as a partition; nil when the store is a whole disk
}

func (m *machine) mountStore() error {
	mountIt := func() error {
		return mount.Device(m.store.device, m.at("stet"), storeFileSystem, unix.MS_NOATIME, "")
	}
	err := mountIt()
	if errors.Is(err, unix.ENODEV) {
		// The file system is a module, too, and not loaded yet.
		if err := m.essential(); err != nil {
			return err
		}
		err = mountIt()
	}
	if err != nil {
		return remedy{err, "The disk may be damaged. Start another system and check it: e2fsck " + m.store.device + "."}
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

// findStore waits for the device with the store, and loads drivers until it is
// there.
func (m *machine) findStore() error {
	defer m.lap("disk")
	loader := sync.OnceValue(m.loaderPartition)
	var there []string  // the disks of the last look
	quiet := time.Now() // since when no disk and no driver has come
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		all := m.disks.list()
		if names := diskNames(all); !slices.Equal(names, there) {
			there, quiet = names, time.Now()
		}
		if device := bySerial(all); device != "" && m.commands.store.IsZero() {
			m.store = place{device: m.disks.path(device)}
		} else {
			found, after := choose(m.commands.store, loader, m.disks.partitions(all))
			if len(found) > 0 && time.Since(quiet) >= after {
				if len(found) > 1 {
					return severalStores(found)
				}
				m.store = place{found[0].device, found[0].disk}
			}
		}
		if m.store.device != "" {
			if _, err := os.Stat(m.store.device); err == nil {
				return nil
			}
			m.store = place{} // its node is not there yet
		}
		name, err := m.modules.loadNext(m.disks.sys, "device")
		if err != nil {
			m.problem("%v", err)
		}
		if name != "" {
			quiet = time.Now()
			wait = time.Millisecond
			continue
		}
		if time.Since(quiet) > storeDeadline {
			return noStore(m.commands.store, all)
		}
		time.Sleep(wait)
	}
}

func diskNames(all []*disk) []string {
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = one.name
	}
	return names
}

// bySerial gives the name of the disk that is a store as a whole, as `stet vm`
// has it.
func bySerial(all []*disk) string {
	for _, one := range all {
		if one.serial == storeSerial {
			return one.name
		}
	}
	return ""
}

// choose finds the store's partition: the one that the command line names, else
// the one on the disk that the firmware started from, else the only one there
// is. A disk that is still to come could make another answer right, so the
// answer counts only when no disk has appeared for a while.
func choose(named gpt.GUID, loader func() gpt.GUID, all []partition) (found []partition, after time.Duration) {
	if !named.IsZero() {
		return only(all, func(p partition) bool { return p.ID == named }), 0
	}
	stores := only(all, func(p partition) bool { return p.Type == gpt.Store })
	if len(stores) == 0 || loader().IsZero() {
		return stores, storeSettles
	}
	started := only(all, func(p partition) bool { return p.ID == loader() })
	if len(started) == 0 {
		return stores, storeDeadline
	}
	beside := only(stores, func(p partition) bool {
		return slices.ContainsFunc(started, func(esp partition) bool { return esp.disk == p.disk })
	})
	if len(beside) > 0 {
		return beside, 0
	}
	return stores, storeSettles
}

func only(all []partition, keep func(partition) bool) []partition {
	var kept []partition
	for _, p := range all {
		if keep(p) {
			kept = append(kept, p)
		}
	}
	return kept
}

func severalStores(found []partition) error {
	var names []string
	for _, p := range found {
		names = append(names, p.describe())
	}
	return remedy{fmt.Errorf("several partitions could be this machine's store: %s", strings.Join(names, ", ")),
		"Disconnect the disks of other machines; or name the right one in the boot menu (key e) with stet.store= and its UUID."}
}

func noStore(named gpt.GUID, all []*disk) error {
	what := "there is no disk at all"
	if len(all) > 0 {
		var seen []string
		for _, one := range all {
			seen = append(seen, one.describe())
		}
		what = "there is " + strings.Join(seen, ", ")
	}
	if !named.IsZero() {
		return remedy{fmt.Errorf("the partition %s, which stet.store= names, was not found within %v: %s", named, storeDeadline, what),
			"Is its disk connected? Choose another entry in the boot menu, or correct stet.store= there (key e)."}
	}
	return remedy{fmt.Errorf("no disk with a store was found within %v: %s", storeDeadline, what),
		"Is the disk connected? When it needs a driver that the initrd has not, kernel.modules in the machine's description adds it.\nA store is a partition of type " + gpt.Store.String() + ", or a virtio disk with the serial number " + storeSerial + "."}
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
