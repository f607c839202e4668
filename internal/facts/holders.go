package facts

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/mount"
)

// A Holder is who uses something.
type Holder struct {
	Process int    // its number; 0: it is a mount
	Command string // its name
	What    string // the path that it has, or that is mounted
}

// String says it in words.
func (u Holder) String() string {
	if u.Process == 0 {
		return u.What + " is mounted"
	}
	return fmt.Sprintf("process %d (%s) has %s", u.Process, u.Command, u.What)
}

// Holders looks who has something that matches: processes with an open or mapped file,
// or their directory, there; and mounts, of any process, at it or of it. Paths are
// those of the machine; of what is on no path any more, whatever the kernel says.
func (m Machine) Holders(matches func(name string) bool) ([]Holder, error) {
	world, err := readProcesses(m.proc())
	if err != nil {
		return nil, err
	}
	var holders []Holder
	for _, p := range world.processes {
		if p.pid == os.Getpid() {
			continue // whoever asks
		}
		if what, ok := m.has(p, matches); ok {
			command, _ := os.ReadFile(filepath.Join(m.proc(), fmt.Sprint(p.pid), "comm"))
			holders = append(holders, Holder{p.pid, strings.TrimSpace(string(command)), what})
		}
	}
	own := world.mounts()
	known := map[string]bool{}
	for _, mounts := range world.namespaces {
		for _, info := range mounts {
			for _, name := range append([]string{info.Point}, mountedParts(own, info)...) {
				if matches(name) && !known[name] {
					known[name] = true
					holders = append(holders, Holder{What: name})
				}
			}
		}
	}
	slices.SortFunc(holders, func(a, b Holder) int { return a.Process - b.Process })
	return holders, nil
}

// has tells what of a process matches.
func (m Machine) has(p process, matches func(name string) bool) (string, bool) {
	dir := filepath.Join(m.proc(), fmt.Sprint(p.pid))
	links := []string{"cwd", "root", "exe"}
	if open, err := os.ReadDir(filepath.Join(dir, "fd")); err == nil {
		for _, entry := range open {
			links = append(links, "fd/"+entry.Name())
		}
	}
	for _, link := range links {
		if name, err := os.Readlink(filepath.Join(dir, link)); err == nil && path.IsAbs(name) && matches(name) {
			return name, true
		}
	}
	for _, mapped := range p.maps {
		if path.IsAbs(mapped.path) && matches(mapped.path) {
			return mapped.path, true
		}
	}
	return "", false
}

// mountedParts are the paths of what is mounted: where the machine's own mounts show the
// same part of the same file system.
func mountedParts(own []mount.Info, of mount.Info) []string {
	var all []string
	for _, info := range own {
		if info.Device != of.Device || info.ID == of.ID {
			continue
		}
		if below, ok := cutPath(of.Root, info.Root); ok && below != "" {
			all = append(all, path.Join(info.Point, below))
		}
	}
	return all
}

// cutPath gives what of name comes after dir.
func cutPath(name, dir string) (string, bool) {
	if dir == "/" {
		return name, true
	}
	if !isBelow(name, dir) {
		return "", false
	}
	return name[len(dir):], true
}
