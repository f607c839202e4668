package generation

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/durable"
	"stet/internal/fault"
)

// recordFile is the name of the record in a generation's directory.
const recordFile = "record.json"

// Mark is what becomes of a generation: a file beside its record.
type Mark string

// The marks.
const (
	Good   Mark = "good"
	Failed Mark = "failed"
	Unwell Mark = "unwell"
	Pinned Mark = "pinned"
)

// Generation is a record with its marks.
type Generation struct {
	Record
	Good, Pinned bool
	Failed       string // why; empty when it did not
	Unwell       string // why its last try failed, while it has others
}

// Damage is a generation that cannot be read.
type Damage struct {
	Number int
	Err    error
}

// History is all generations of a machine, each kind by number.
type History struct {
	Generations []Generation
	Damaged     []Damage
}

// Directory is where a machine keeps its generations.
type Directory struct{ dir string }

// In gives the directory in a store.
func In(store string) Directory { return Directory{filepath.Join(store, "generations")} }

// Path is where a generation is or would be.
func (d Directory) Path(number int) string { return filepath.Join(d.dir, strconv.Itoa(number)) }

// BusyError says that another process changes the generations.
type BusyError struct{ Dir string }

// Error implements error.
func (e *BusyError) Error() string {
	return "another stet is changing the generations in " + e.Dir
}

// Lock keeps other processes from changing generations until unlock is called,
// and takes away what a killed one left half-done. It waits for nobody: a
// [BusyError] says that somebody was first.
func (d Directory) Lock() (unlock func() error, err error) {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock generations: %w", err)
	}
	held, err := os.Open(d.dir)
	if err != nil {
		return nil, fmt.Errorf("lock generations: %w", err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		held.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &BusyError{d.dir}
		}
		return nil, fmt.Errorf("lock generations in %s: %w", d.dir, err)
	}
	left, err := os.ReadDir(d.dir)
	for _, entry := range left {
		if strings.HasPrefix(entry.Name(), ".") {
			err = errors.Join(err, os.RemoveAll(filepath.Join(d.dir, entry.Name())))
		}
	}
	if err != nil {
		held.Close()
		return nil, fmt.Errorf("clear what was left half-done: %w", err)
	}
	return held.Close, nil
}

// List reads all generations. A machine that has none yet has an empty history;
// one that cannot be read is part of it as damaged.
func (d Directory) List() (History, error) {
	var h History
	entries, err := os.ReadDir(d.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("list generations: %w", err)
	}
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil || number < 1 || strconv.Itoa(number) != entry.Name() {
			continue
		}
		g, err := d.read(number)
		if err != nil {
			h.Damaged = append(h.Damaged, Damage{number, err})
			continue
		}
		h.Generations = append(h.Generations, g)
	}
	slices.SortFunc(h.Generations, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	slices.SortFunc(h.Damaged, func(a, b Damage) int { return cmp.Compare(a.Number, b.Number) })
	return h, nil
}

func (d Directory) read(number int) (Generation, error) {
	dir := d.Path(number)
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return Generation{}, err
	}
	var g Generation
	if g.Record, err = ParseRecord(text); err != nil {
		return Generation{}, err
	}
	if g.Number != number {
		return Generation{}, fmt.Errorf("read record: in %s is that of generation %d", dir, g.Number)
	}
	has := func(m Mark) bool {
		_, err := os.Lstat(filepath.Join(dir, string(m)))
		return err == nil
	}
	g.Good, g.Pinned = has(Good), has(Pinned)
	if has(Failed) {
		why, _ := os.ReadFile(filepath.Join(dir, string(Failed)))
		g.Failed = cmp.Or(strings.TrimSpace(string(why)), "it is marked so")
	}
	if why, err := os.ReadFile(filepath.Join(dir, string(Unwell))); err == nil {
		g.Unwell = strings.TrimSpace(string(why))
	}
	return g, nil
}

// Add writes the record of a new generation. A number that is taken is an
// error.
func (d Directory) Add(r Record) error {
	text, err := r.Text()
	if err != nil {
		return err
	}
	wrap := func(err error) error { return fmt.Errorf("record generation %d: %w", r.Number, err) }
	hidden := filepath.Join(d.dir, "."+strconv.Itoa(r.Number))
	if err := errors.Join(os.MkdirAll(d.dir, 0o700), os.RemoveAll(hidden), os.Mkdir(hidden, 0o700)); err != nil {
		return wrap(err)
	}
	err = durable.Write(filepath.Join(hidden, recordFile), text)
	if err = errors.Join(err, durable.Sync(hidden)); err != nil {
		return wrap(errors.Join(err, os.RemoveAll(hidden)))
	}
	fault.Reach(fault.GenerationPrepared)
	if err := unix.Renameat2(unix.AT_FDCWD, hidden, unix.AT_FDCWD, d.Path(r.Number), unix.RENAME_NOREPLACE); err != nil {
		return wrap(errors.Join(err, os.RemoveAll(hidden)))
	}
	if err := durable.Sync(d.dir); err != nil {
		return wrap(err)
	}
	fault.Reach(fault.GenerationRecorded)
	return nil
}

// Set gives a generation a mark. Why is one sentence, for those that have one.
func (d Directory) Set(number int, m Mark, why string) error {
	dir := d.Path(number)
	if why != "" {
		why += "\n"
	}
	hidden, name := filepath.Join(dir, "."+string(m)), filepath.Join(dir, string(m))
	err := durable.Write(hidden, []byte(why))
	if err == nil {
		err = os.Rename(hidden, name)
	}
	return d.marked(number, m, err)
}

// Clear takes a mark away. One that is not there is none to take.
func (d Directory) Clear(number int, m Mark) error {
	err := os.Remove(filepath.Join(d.Path(number), string(m)))
	if errors.Is(err, fs.ErrNotExist) {
		if _, missing := os.Stat(d.Path(number)); missing == nil {
			return nil
		}
	}
	return d.marked(number, m, err)
}

func (d Directory) marked(number int, m Mark, err error) error {
	if err == nil {
		err = durable.Sync(d.Path(number))
	}
	if err != nil {
		return fmt.Errorf("mark generation %d as %s: %w", number, m, err)
	}
	fault.Reach(fault.GenerationMarked)
	return nil
}

// Remove takes a generation out of the history. It is gone at once, or not at
// all.
func (d Directory) Remove(number int) error {
	hidden := filepath.Join(d.dir, "."+strconv.Itoa(number)+".gone")
	err := os.Rename(d.Path(number), hidden)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = durable.Sync(d.dir)
	}
	if err != nil {
		return fmt.Errorf("remove generation %d: %w", number, err)
	}
	fault.Reach(fault.RecordRemoved)
	if err := os.RemoveAll(hidden); err != nil {
		return fmt.Errorf("remove generation %d: %w", number, err)
	}
	return nil
}
