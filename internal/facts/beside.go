package facts

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"stet/internal/plan"
)

// Read gives what is in a file of /etc or of what is [beside] the packages. No link leads
// it elsewhere: who may write to one of the directories must not choose what root reads.
func (m Machine) Read(name string) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, &os.PathError{Op: "read", Path: name, Err: err} }
	place := name
	for _, b := range beside {
		if below, ok := strings.CutPrefix(name, b.name+"/"); ok {
			place = b.place + "/" + below
		}
	}
	root, err := os.Open(m.at("/"))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	fd, err := unix.Openat2(int(root.Fd()), strings.TrimPrefix(place, "/"), &unix.OpenHow{
		Flags: unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NONBLOCK, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return fail(err)
	}
	file := os.NewFile(uintptr(fd), name)
	defer file.Close()
	if info, err := file.Stat(); err != nil {
		return fail(err)
	} else if !info.Mode().IsRegular() {
		return fail(errors.New("it is no file any more"))
	}
	return io.ReadAll(file)
}

// Below describes what is at a path of the state, and all below it, as [Drift.Walk] does
// what is in /etc, without what is in files. Of more than most, it gives one further.
func (m Machine) Below(name string, most int) ([]plan.Drifted, error) {
	var all []plan.Drifted
	err := filepath.WalkDir(m.at(name), func(at string, entry fs.DirEntry, err error) error {
		switch {
		case isAway(err):
			return nil
		case err != nil:
			return err
		case len(all) > most:
			return fs.SkipAll
		}
		info, err := entry.Info()
		if isAway(err) {
			return nil
		}
		found := plan.Drifted{Path: name + strings.TrimPrefix(at, m.at(name)), Change: plan.Added}
		if err == nil {
			err = describeEntry(&found, at, info)
		}
		if err == nil && info.Mode().IsRegular() {
			found.Size = info.Size()
		}
		if isAway(err) {
			return nil
		}
		all = append(all, found)
		return err
	})
	return all, err
}

// Lasting gives the name of a device that mount(8) takes and that is the same at the next
// start: the UUID of its file system. It is empty where there is none, and of a loop
// device, which is there only while the machine runs.
func (m Machine) Lasting(device string) string {
	if strings.HasPrefix(device, "/dev/loop") {
		return ""
	}
	at, err := filepath.EvalSymlinks(m.at(device))
	if err != nil {
		return ""
	}
	for _, by := range []struct{ dir, tag string }{{"by-uuid", "UUID="}, {"by-partuuid", "PARTUUID="}} {
		dir := m.at(filepath.Join("dev/disk", by.dir))
		names, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, name := range names {
			if to, err := filepath.EvalSymlinks(filepath.Join(dir, name.Name())); err == nil && to == at {
				return by.tag + name.Name()
			}
		}
	}
	return ""
}

// Memory gives the size of a tmpfs(5), as mount(8) takes it, and the permission bits of
// its root. The size is empty when nobody said any: that is half of the memory.
func (m Machine) Memory(point string) (size string, mode uint32, err error) {
	var room unix.Statfs_t
	if err := unix.Statfs(m.at(point), &room); err != nil {
		return "", 0, &os.PathError{Op: "look at the size of", Path: point, Err: err}
	}
	info, err := os.Stat(m.at(point))
	if err != nil {
		return "", 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "", 0, fmt.Errorf("%s: nothing tells its mode", point)
	}
	total, err := m.memory()
	if err != nil {
		return "", 0, err
	}
	kilobytes := int64(room.Blocks) * room.Bsize >> 10
	// The kernel counts half in pages.
	if kilobytes == 0 || kilobytes <= total/2 && total/2-kilobytes < room.Bsize>>10 {
		return "", stat.Mode & 0o7777, nil
	}
	return fmt.Sprintf("%dk", kilobytes), stat.Mode & 0o7777, nil
}

// memory is how much the machine has, in KiB (proc_meminfo(5)); 0 when it does not say.
func (m Machine) memory() (kilobytes int64, err error) {
	file, err := os.Open(m.at("proc/meminfo"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "MemTotal: %d kB", &kilobytes); err == nil {
			return kilobytes, nil
		}
	}
	return 0, nil
}
