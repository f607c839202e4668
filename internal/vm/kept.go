package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// keptFormat is the version of what is kept, and of how it was made.
const keptFormat = 2

// The files of a place. The record is written last: without it there is nothing.
const (
	keptRecord  = "state.json"
	keptLock    = "lock"       // flock(2): shared to begin there, exclusive to make
	keptMemory  = "memory"     // QEMU's migration stream: memory and devices
	keptLayer   = "disk.qcow2" // what the machine wrote
	keptDisk    = "disk"       // a directory: what of the disk that it found is only here
	keptConsole = "console"    // what it had said
)

// keptMaxAge is how old a state may be to begin with. The timers of a machine
// find out how long it was away: in an old state what runs once a day would run
// in the midst of the tests, which it does not in a machine that has just booted.
const keptMaxAge = 12 * time.Hour

// Place is a directory for the state of one machine that has booted: its memory,
// its devices and what it wrote. What is in it belongs to this package; it has
// to be on the file system of the run directory.
type Place string

// state is what a place has, held while a VM needs it.
type state struct {
	place  Place
	lock   *os.File
	record record
}

// record says what a kept state is of.
type record struct {
	Format   int       `json:"format"`
	Identity string    `json:"identity"` // all that decides the state
	System   string    `json:"system"`   // the caller's name for what the disk holds
	Booted   time.Time `json:"booted"`
	Disk     string    `json:"disk"`   // its digest
	Memory   string    `json:"memory"` // SHA-256 of the files
	Layer    string    `json:"layer"`
}

func (p Place) file(name string) string { return filepath.Join(string(p), name) }

// errNothingKept says that a place has nothing of this machine, which is no
// reason to say anything.
var errNothingKept = errors.New("nothing is kept")

// open gives the state with an identity.
func (p Place) open(identity string, now time.Time) (*state, error) {
	lock, err := os.OpenFile(p.file(keptLock), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNothingKept
	}
	if err != nil {
		return nil, err
	}
	s := &state{place: p, lock: lock}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, errors.New("another stet is making one")
	}
	if err := s.read(identity, now); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) read(identity string, now time.Time) error {
	text, err := os.ReadFile(s.place.file(keptRecord))
	if errors.Is(err, os.ErrNotExist) {
		return errNothingKept
	}
	if err != nil {
		return err
	}
	switch {
	case json.Unmarshal(text, &s.record) != nil:
		return errors.New("its record is damaged")
	case s.record.Format != keptFormat, s.record.Identity != identity:
		return errNothingKept
	case now.Sub(s.record.Booted) > keptMaxAge, s.record.Booted.After(now):
		return errNothingKept
	}
	for _, name := range []string{keptMemory, keptLayer, keptDisk, keptConsole} {
		if _, err := os.Stat(s.place.file(name)); err != nil {
			return err
		}
	}
	// For who looks for what nobody uses any more. That it stays younger is all.
	_ = os.Chtimes(s.place.file(keptRecord), now, now)
	return nil
}

// check compares the files with the record.
func (s *state) check(ctx context.Context) error {
	var both errgroup.Group
	for name, want := range map[string]string{keptMemory: s.record.Memory, keptLayer: s.record.Layer} {
		both.Go(func() error {
			sum, err := fileSum(ctx, s.place.file(name))
			if err == nil && sum != want {
				err = fmt.Errorf("%s is damaged", s.place.file(name))
			}
			return err
		})
	}
	return both.Wait()
}

// Close lets go of it.
func (s *state) Close() error { return s.lock.Close() }

// Remove removes a place with all that is in it, unless a VM needs it.
func (p Place) Remove() error {
	lock, err := p.reserve()
	if errors.Is(err, errInUse) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	return os.RemoveAll(string(p))
}

// errInUse says that a VM needs what a place has.
var errInUse = errors.New("another stet uses the one that is kept")

// reserve makes the place this process's alone, and empties it.
func (p Place) reserve() (*os.File, error) {
	if err := os.MkdirAll(string(p), 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(p.file(keptLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, errInUse
	}
	if err := p.clear(); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// clear removes what a place has; the record first.
func (p Place) clear() error {
	for _, name := range []string{keptRecord, keptMemory, keptLayer, keptDisk, keptConsole} {
		if err := os.RemoveAll(p.file(name)); err != nil {
			return err
		}
	}
	return nil
}

// put keeps the state of a machine that has booted from the place's own disk, and
// ends the machine. When it cannot, the machine goes on and the error says why.
func (vm *VM) put(ctx context.Context, p Place, r record) error {
	r.Booted = time.Now()
	if err := vm.saveMemory(ctx, p.file(keptMemory)); err != nil {
		return err
	}
	// The machine stands still, and QEMU has written all that it knows of its disk.
	err := errors.Join(
		os.Link(vm.directory.file(overlay), p.file(keptLayer)),
		os.WriteFile(p.file(keptConsole), vm.SerialLog(), 0o600),
	)
	if err == nil {
		err = p.seal(ctx, r)
	}
	if err != nil {
		return errors.Join(err, vm.execute(context.WithoutCancel(ctx), "cont", nil))
	}
	return vm.Crash()
}

// seal writes the record.
func (p Place) seal(ctx context.Context, r record) error {
	for name, sum := range map[string]*string{keptMemory: &r.Memory, keptLayer: &r.Layer} {
		var err error
		if *sum, err = fileSum(ctx, p.file(name)); err != nil {
			return err
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(p.file(keptRecord), append(text, '\n'), 0o600)
}

// fileSum gives the SHA-256 of a file.
func fileSum(ctx context.Context, name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum, buffer := sha256.New(), make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := file.Read(buffer)
		sum.Write(buffer[:n])
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", context.Cause(ctx)
}
