package boot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"stet/internal/durable"
	"stet/internal/fault"
)

// ReadNames is [Read] of the names of the entries alone, without their texts and
// kernels: it takes no time, and does not mind an entry that is renamed meanwhile.
func ReadNames(dir string) (ESP, error) {
	var e ESP
	names, err := readNames(filepath.Join(dir, EntriesDir))
	if err != nil {
		return e, fmt.Errorf("read the ESP: %w", err)
	}
	for _, name := range names {
		if n, ok := ParseName(name); ok {
			e.Entries = append(e.Entries, File{Name: n})
		}
	}
	return e, nil
}

// Of gives the names that a generation's entry has. There is one, unless the
// power failed at a bad moment, or nobody made one.
func (e ESP) Of(generation int) []Name {
	var names []Name
	for _, f := range e.Entries {
		if f.Generation == generation {
			names = append(names, f.Name)
		}
	}
	return names
}

// TakeCounter takes the counter from the entry of a generation that is good. What
// is done already, by an earlier call or by systemd-bless-boot(8), is no error;
// neither is a generation without an entry.
func TakeCounter(dir string, generation int) error {
	plain := Name{Generation: generation}
	for range 2 { // the second time, when somebody else was at it
		e, err := ReadNames(dir)
		if err != nil {
			return err
		}
		names := e.Of(generation)
		if slices.Contains(names, plain) {
			return dropCounted(dir, names)
		}
		if len(names) == 0 {
			return nil
		}
		slices.SortFunc(names, func(a, b Name) int { return a.Left - b.Left })
		err = rename(filepath.Join(dir, entryPath(names[0])), filepath.Join(dir, entryPath(plain)), unix.RENAME_NOREPLACE)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("take the counter from the entry of generation %d: %w", generation, err)
		}
		fault.Reach(fault.EntryBlessed)
		return dropCounted(dir, names[1:])
	}
	return fmt.Errorf("take the counter from the entry of generation %d: its name keeps changing", generation)
}

// dropCounted removes the names with a counter that are left beside a plain one.
func dropCounted(dir string, names []Name) error {
	changed := false
	for _, n := range names {
		if !n.Counted {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entryPath(n))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a second entry of generation %d: %w", n.Generation, err)
		}
		changed = true
	}
	if !changed {
		return nil
	}
	return durable.Sync(filepath.Join(dir, EntriesDir))
}
