package gc

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/verity"
)

// Use is what of the store living processes have.
type Use struct {
	// Images are mounted in some mount namespace, with a process of it.
	Images map[verity.Digest]int
	// Uppers are directories of /etc's changes that are mounted.
	Uppers map[string]bool
	// Detached is a process that runs from an overlay which is mounted nowhere
	// any more: a tree that a switch replaced. Which one, nothing tells. 0 when
	// there is none.
	Detached int
}

// source is how an image of a machine is called where mounts are listed:
// stet:TREE:DIGEST.
const source = "stet:"

// Living looks at every process in proc, which is /proc.
func Living(proc string) (Use, error) {
	use := Use{Images: map[verity.Digest]int{}, Uppers: map[string]bool{}}
	processes, err := os.ReadDir(proc)
	if err != nil {
		return use, fmt.Errorf("look for what is in use: %w", err)
	}
	var pids []int
	mounted := map[uint64]bool{} // device numbers of all mounts there are
	seen := map[string]bool{}    // mount namespaces
	for _, process := range processes {
		pid, err := strconv.Atoi(process.Name())
		if err != nil {
			continue
		}
		pids = append(pids, pid)
		dir := filepath.Join(proc, process.Name())
		namespace, err := os.Readlink(filepath.Join(dir, "ns/mnt"))
		if err != nil || seen[namespace] {
			continue // it has ended, or its mounts are known
		}
		text, err := os.ReadFile(filepath.Join(dir, "mountinfo"))
		if err != nil {
			continue
		}
		seen[namespace] = true
		use.readMounts(pid, text, mounted)
	}
	for _, pid := range pids {
		if runsDetached(filepath.Join(proc, strconv.Itoa(pid)), mounted) {
			use.Detached = pid
			break
		}
	}
	return use, nil
}

// readMounts reads a mountinfo (proc_pid_mountinfo(5)).
func (u *Use) readMounts(pid int, text []byte, mounted map[uint64]bool) {
	for line := range bytes.Lines(text) {
		fields := strings.Fields(string(line))
		_, after, ok := strings.Cut(string(line), " - ")
		if !ok || len(fields) < 3 {
			continue
		}
		if device, ok := parseDevice(fields[2], 10); ok {
			mounted[device] = true
		}
		about := strings.Fields(after) // type, source, options
		if len(about) < 2 || !strings.HasPrefix(about[1], source) {
			continue
		}
		if d, err := verity.ParseDigest(about[1][strings.LastIndexByte(about[1], ':')+1:]); err == nil {
			u.Images[d] = pid
		}
		for option := range strings.SplitSeq(about[len(about)-1], ",") {
			if upper, ok := strings.CutPrefix(option, "upperdir="); ok {
				// stet-init mounts it before it has its final name.
				u.Uppers[strings.TrimSuffix(filepath.Base(filepath.Dir(upper)), ".partial")] = true
			}
		}
	}
}

// parseDevice reads "MAJOR:MINOR": decimal in mountinfo, hexadecimal in maps.
func parseDevice(text string, base int) (uint64, bool) {
	major, minor, ok := strings.Cut(text, ":")
	a, errMajor := strconv.ParseUint(major, base, 32)
	b, errMinor := strconv.ParseUint(minor, base, 32)
	return unix.Mkdev(uint32(a), uint32(b)), ok && errMajor == nil && errMinor == nil
}

// runsDetached reports whether a process has its program, its root, its
// directory or a mapped file on an overlay that is not mounted. What cannot be
// seen has ended.
func runsDetached(dir string, mounted map[uint64]bool) bool {
	for _, name := range []string{"exe", "root", "cwd"} {
		var stat unix.Stat_t
		at := filepath.Join(dir, name)
		if unix.Stat(at, &stat) == nil && !mounted[stat.Dev] && onOverlay(at) {
			return true
		}
	}
	maps, err := os.Open(filepath.Join(dir, "maps"))
	if err != nil {
		return false
	}
	defer maps.Close()
	asked := map[string]bool{}
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // range, permissions, offset, device, inode, path
		if len(fields) < 6 || fields[4] == "0" || asked[fields[3]] {
			continue
		}
		asked[fields[3]] = true
		device, ok := parseDevice(fields[3], 16)
		if ok && !mounted[device] && onOverlay(filepath.Join(dir, "map_files", mapFile(fields[0]))) {
			return true
		}
	}
	return false
}

// mapFile is the name in map_files of a range in maps, which has leading zeros.
func mapFile(span string) string {
	from, to, _ := strings.Cut(span, "-")
	trim := func(s string) string {
		if s = strings.TrimLeft(s, "0"); s == "" {
			return "0"
		}
		return s
	}
	return trim(from) + "-" + trim(to)
}

func onOverlay(name string) bool {
	var about unix.Statfs_t
	return unix.Statfs(name, &about) == nil && about.Type == unix.OVERLAYFS_SUPER_MAGIC
}
