package facts

import (
	"cmp"
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
	Process int    // its number; 0: it is the kernel
	Command string // its name; of the kernel, what it does: "mounted"
	What    string // the path that it has
}

// String says it in words.
func (h Holder) String() string {
	if h.Process == 0 {
		return h.What + " is " + h.Command
	}
	return fmt.Sprintf("process %d (%s) has %s", h.Process, h.Command, h.What)
}

// Holders looks who has something that matches: processes with an open or mapped file,
// or their directory, there; mounts, of any process, at it or of it; and the kernel.
// Paths are those of the machine; of what is on no path any more, whatever the kernel
// says.
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
					holders = append(holders, Holder{Command: "mounted", What: name})
				}
			}
		}
	}
	for _, h := range m.heldByKernel() {
		if matches(h.What) {
			holders = append(holders, h)
		}
	}
	slices.SortFunc(holders, func(a, b Holder) int { return cmp.Or(a.Process-b.Process, cmp.Compare(a.What, b.What)) })
	return holders, nil
}

// heldByKernel are the files that no process has open: swap space (proc_swaps(5)), and
// what loop devices are made of.
func (m Machine) heldByKernel() []Holder {
	var all []Holder
	swaps, _ := os.ReadFile(filepath.Join(m.proc(), "swaps"))
	for line := range strings.Lines(string(swaps)) {
		name, _, _ := strings.Cut(line, " ")
		if path.IsAbs(name) {
			all = append(all, Holder{Command: "swap space", What: strings.ReplaceAll(name, `\040`, " ")})
		}
	}
	files, _ := filepath.Glob(m.at("sys/block/loop*/loop/backing_file"))
	for _, file := range files {
		if name, err := os.ReadFile(file); err == nil {
			all = append(all, Holder{Command: "a loop device", What: strings.TrimSuffix(string(name), "\n")})
		}
	}
	return all
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
