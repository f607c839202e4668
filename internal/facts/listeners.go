package facts

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stet/internal/drift"
	"stet/internal/plan"
)

// holders fills in which processes have the sockets with the inodes.
func (m Machine) holders(running plan.System, w *world, wanted map[string][]drift.Process) error {
	o, err := m.origins(w, running.Trees["usr"])
	if err != nil {
		return err
	}
	user, err := m.userNames()
	if err != nil {
		return err
	}
	began, err := m.began()
	if err != nil {
		return err
	}
	for _, p := range w.processes {
		dir := filepath.Join(m.proc(), strconv.Itoa(p.pid))
		entries, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil && !isGone(err) {
			return err
		}
		var inodes []string
		for _, entry := range entries {
			to, err := os.Readlink(filepath.Join(dir, "fd", entry.Name()))
			if err != nil {
				continue // it was closed meanwhile
			}
			number, ok := strings.CutPrefix(to, "socket:[")
			inode := strings.TrimSuffix(number, "]")
			if _, is := wanted[inode]; ok && is {
				inodes = append(inodes, inode)
			}
		}
		if len(inodes) == 0 {
			continue
		}
		holder, err := describeProcess(dir, p, o, user, began)
		if err != nil {
			if isGone(err) {
				continue
			}
			return err
		}
		slices.Sort(inodes)
		for _, inode := range slices.Compact(inodes) {
			wanted[inode] = append(wanted[inode], holder)
		}
	}
	return nil
}

func describeProcess(dir string, p process, o *origins, user func(uint32) string, began time.Time) (drift.Process, error) {
	found := drift.Process{PID: p.pid, Unit: p.unit, UserUnit: p.userUnit}
	name, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil {
		return found, err
	}
	found.Name = strings.TrimSpace(string(name))
	program, err := os.Readlink(filepath.Join(dir, "exe"))
	if err != nil {
		return found, err
	}
	found.Program = program
	for _, file := range p.maps {
		if file.path == strings.TrimSuffix(program, " (deleted)") {
			if _, name, ok := o.of(file); ok {
				found.Packaged, found.Program = true, name
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return found, err
	}
	if ticks, ok := startTime(string(text)); ok && !began.IsZero() {
		found.Since = began.Add(time.Duration(ticks) * time.Second / ticksPerSecond).Truncate(time.Second)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return found, err
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		found.User = user(stat.Uid)
	}
	return found, nil
}

// ticksPerSecond is USER_HZ, which Linux has fixed for its programs.
const ticksPerSecond = 100

// startTime reads when a process began, in ticks since the kernel did, from a
// proc_pid_stat(5): its 22nd field. The second is a name, which may have anything.
func startTime(stat string) (ticks int64, ok bool) {
	_, after, ok := cutLast(stat, ")")
	fields := strings.Fields(after)
	if !ok || len(fields) < 20 {
		return 0, false
	}
	ticks, err := strconv.ParseInt(fields[19], 10, 64)
	return ticks, err == nil && ticks >= 0
}

func cutLast(text, separator string) (before, after string, found bool) {
	if i := strings.LastIndex(text, separator); i >= 0 {
		return text[:i], text[i+len(separator):], true
	}
	return text, "", false
}

// began is when the kernel started, by today's clock; zero when it does not say.
func (m Machine) began() (time.Time, error) {
	text, err := os.ReadFile(m.at("proc/stat"))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			return time.Unix(seconds, 0).UTC(), err
		}
	}
	return time.Time{}, nil
}
