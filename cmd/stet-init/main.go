package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/state"
)

// systemd is what the machine runs after this program.
const systemd = "/usr/lib/systemd/systemd"

func main() {
	start := time.Now()
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "stet-init: this is the first program of a machine's initrd; it does nothing else")
		os.Exit(2)
	}
	unix.Umask(0)
	m := &machine{start: start, root: "/newroot", run: "/run", disks: disks{"/sys", "/dev", map[string]*disk{}}, sealed: true}
	m.emergency(m.boot())
}

// boot returns only when the machine cannot be started.
func (m *machine) boot() error {
	return m.take(
		m.mountKernelFileSystems,
		m.makeRun,
		m.readCommandLine,
		m.startLoadingModules,
		m.startSystem,
	)
}

// startSystem starts the system that the command line, or a person, names.
func (m *machine) startSystem() error {
	return m.take(
		func() error { return together(m.makeRoot, m.findStore) },
		m.mountStore,
		m.growStore,
		func() error { return together(m.readManifest, m.readUppers) },
		m.finishLoadingModules,
		m.mountTrees,
		func() error { return together(m.finishEtc, m.fillRun, m.checkSystemd) },
		m.tell,
		m.forgetFiles,
		m.switchRoot,
	)
}

// take takes steps one after the other, until one fails.
func (m *machine) take(steps ...func() error) (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = crashed(crash)
		}
	}()
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// together takes steps at the same time and gives the first failure in their order.
func together(steps ...func() error) error {
	failures := make([]error, len(steps))
	var group sync.WaitGroup
	for i, step := range steps {
		group.Go(func() {
			defer func() {
				if crash := recover(); crash != nil {
					failures[i] = crashed(crash)
				}
			}()
			failures[i] = step()
		})
	}
	group.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// crashed makes an error of a panic, where it is recovered from.
func crashed(with any) error {
	return fmt.Errorf("stet-init itself has an error: %v\n%s", with, debug.Stack())
}

// A machine is what the steps of a boot know of it.
type machine struct {
	start    time.Time
	root     string // where the root directory is made
	run      string // the machine's /run
	commands commandLine
	manifest manifest
	disks    disks
	store    place
	sealed   bool // the store has to be: no host of a test need have fs-verity

	uppers []state.Upper                // those of earlier boots, the oldest first
	policy func() (state.Policy, error) // waits for /usr, and gives the policy in it
	etc    preparedEtc
	upper  int // number of the upper of /etc; 0 when it is in memory

	modules   *modules
	essential func() error   // waits until those are loaded that no boot can do without
	declared  sync.WaitGroup // those that the machine's description names

	mu       sync.Mutex
	problems []string
	laps     []lap
}

// A lap is when a part of the boot was done, for the benchmark.
type lap struct {
	name string
	at   time.Duration
}

func (m *machine) lap(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.laps = append(m.laps, lap{name, time.Since(m.start)})
}

// problem notes what is not as it should be, but is no reason to stay down.
func (m *machine) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	m.mu.Lock()
	m.problems = append(m.problems, text)
	m.mu.Unlock()
	log(levelWarning, text)
}
