package facts

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
	"stet/internal/systemd"
)

// process is one process, as far as a plan cares.
type process struct {
	pid       int
	unit      string // of the system's manager
	userUnit  string // of the manager that unit is
	namespace string // "mnt:[…]"
	maps      []mapping
}

// world is all processes and the mount namespaces they are in.
type world struct {
	processes  []process
	namespaces map[string][]mount.Info // by their name
	text       bytes.Buffer            // of the file that is read, which may be a megabyte
	own        string                  // that of PID 1, which is the machine's
}

// readProcesses looks at every process. Threads of the kernel have no files and no
// unit.
func readProcesses(proc string) (*world, error) {
	w := &world{namespaces: map[string][]mount.Info{}}
	if err := eachProcess(proc, w.read); err != nil {
		return nil, err
	}
	if w.own == "" {
		return nil, errors.New("look at processes: there is no process 1")
	}
	slices.SortFunc(w.processes, func(a, b process) int { return a.pid - b.pid })
	return w, nil
}

// eachProcess has every process looked at, in its directory. One that ends meanwhile is
// none.
func eachProcess(proc string, look func(pid int, dir string) error) error {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if err := look(pid, filepath.Join(proc, entry.Name())); err != nil && !isGone(err) {
			return fmt.Errorf("look at process %d: %w", pid, err)
		}
	}
	return nil
}

// ofUnit is a process with the unit that its control group names.
func ofUnit(pid int, cgroup string) process {
	p := process{pid: pid}
	p.unit, p.userUnit = systemd.UnitOf(cgroup)
	return p
}

// belongs reports whether it is of a unit. User is the unit that the user's manager is,
// or "" for a unit of the system's.
func (p process) belongs(user, unit string) bool {
	return user == "" && p.unit == unit || user != "" && p.unit == user && p.userUnit == unit
}

func (w *world) read(pid int, dir string) error {
	cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil {
		return err
	}
	p := ofUnit(pid, string(cgroup))
	if p.maps, err = w.readMaps(filepath.Join(dir, "maps")); err != nil {
		return err
	}
	if p.namespace, err = os.Readlink(filepath.Join(dir, "ns/mnt")); err != nil {
		return err
	}
	if pid == 1 {
		w.own = p.namespace
	}
	if _, known := w.namespaces[p.namespace]; !known {
		text, err := os.ReadFile(filepath.Join(dir, "mountinfo"))
		if err != nil {
			return err
		}
		if w.namespaces[p.namespace], err = mount.ParseInfo(string(text)); err != nil {
			return err
		}
	}
	w.processes = append(w.processes, p)
	return nil
}

func (w *world) readMaps(name string) ([]mapping, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w.text.Reset()
	if _, err := w.text.ReadFrom(file); err != nil {
		return nil, err
	}
	return parseMaps(w.text.Bytes()), nil
}

// isGone reports whether a process ended while it was looked at.
func isGone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL)
}

// mounts are those of the machine.
func (w *world) mounts() []mount.Info { return w.namespaces[w.own] }

// of gives the processes of a unit. User is the unit that the user's manager is,
// or "" for a unit of the system's.
func (w *world) of(user, unit string) []process {
	var all []process
	for _, p := range w.processes {
		if p.belongs(user, unit) {
			all = append(all, p)
		}
	}
	return all
}

// Processes gives the processes of a unit, as plans name it: user is empty for
// the system's.
func (m Machine) Processes(user, unit string) ([]int, error) {
	manager := ""
	if user != "" {
		users, err := systemd.Users(m.run())
		if err != nil {
			return nil, err
		}
		for _, u := range users {
			if u.Name == user {
				manager = systemd.ManagerUnit(u)
			}
		}
		if manager == "" {
			return nil, nil
		}
	}
	var pids []int
	err := eachProcess(m.proc(), func(pid int, dir string) error {
		cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if p := ofUnit(pid, string(cgroup)); err == nil && p.belongs(manager, unit) {
			pids = append(pids, pid)
		}
		return err
	})
	return pids, err
}

// isBelow reports whether name is place or below it.
func isBelow(name, place string) bool { return name == place || strings.HasPrefix(name, place+"/") }
