package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/plan"
	"stet/internal/state"
)

// The files of a switch, below /run: what it changed is gone with /run, too.
const (
	lockFile   = "stet/switch.lock"
	recordFile = "stet/switch.json"
	stageDir   = "stet/switch" // a tmpfs: new trees before, old ones until it is done
)

// phase is how far a switch is. It is noted before the phase begins.
type phase int

const (
	staging   phase = iota + 1 // nothing that runs sees anything
	stopping                   // units are being stopped
	replacing                  // trees are being replaced
	telling                    // commands are run, and managers told
	starting                   // units are being reloaded, restarted and started
	checking                   // all is done, and may be unhealthy
)

// record is a switch that is under way.
type record struct {
	Format int        `json:"format"`
	Phase  phase      `json:"phase"`
	Began  time.Time  `json:"began"`
	Plan   *plan.Plan `json:"plan"`
	Old    System     `json:"old"`
	New    System     `json:"new"`
	Boot   state.Boot `json:"boot"`  // what was there before
	Upper  int        `json:"upper"` // of the new /etc; 0 while there is none

	Generation int `json:"generation,omitempty"` // that a soft reboot starts
}

// recordFormat is the only format of a record there is.
const recordFormat = 1

// ErrBusy says that another switch is under way.
var ErrBusy = errors.New("another switch is under way on this machine")

// Wait returns when no switch is under way.
func (m Machine) Wait(ctx context.Context) error {
	for {
		unlock, err := m.lock()
		if err == nil {
			unlock()
			return nil
		}
		if !errors.Is(err, ErrBusy) {
			return err
		}
		if err := sleep(ctx, settle); err != nil {
			return err
		}
	}
}

// lock makes sure that there is one switch at a time. It ends with the process.
func (m Machine) lock() (func(), error) {
	if err := os.MkdirAll(m.run("stet"), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(m.run(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the machine: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock the machine: %w", err)
	}
	return func() { file.Close() }, nil
}

func (m Machine) run(name string) string { return filepath.Join(m.Root, "run", name) }

func (m Machine) at(name string) string { return filepath.Join(m.Root, name) }

// begin notes that a phase begins.
func (s *switching) begin(p phase) error {
	s.Phase = p
	text, err := json.Marshal(s.record)
	if err != nil {
		return fmt.Errorf("note how far the switch is: %w", err)
	}
	if err := writeFile(s.run(recordFile), text, 0o600); err != nil {
		return fmt.Errorf("note how far the switch is: %w", err)
	}
	return nil
}

// readRecord gives the switch that an ended process left; nil when there is none.
func (m Machine) readRecord() (*record, error) {
	text, err := os.ReadFile(m.run(recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &record{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", m.run(recordFile), err)
	}
	if r.Format != recordFormat || r.Plan == nil {
		return nil, fmt.Errorf("%s has format %d; this Stet knows %d: use the Stet that began the switch, or reboot", m.run(recordFile), r.Format, recordFormat)
	}
	return r, nil
}

// writeFile replaces a file in one step. /run outlives no power cut, so that
// nothing is synced.
func writeFile(name string, text []byte, mode os.FileMode) error {
	hidden := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".new")
	if err := os.WriteFile(hidden, text, mode); err != nil {
		return err
	}
	return os.Rename(hidden, name)
}
