package facts

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/ledger"
	"stet/internal/mount"
	"stet/internal/progress"
)

// The bounds of a walk of the state.
const (
	mostEntries = 20_000_000 // what comes after is not counted
	deepest     = 500        // directories above each other, each of which is held open
	batch       = 1024       // names that are read at a time
)

// Kept looks at the state of the machine: what there is of each part, as apart
// divides it. It follows no symlink and looks into nothing that is mounted.
func (m Machine) Kept(ctx context.Context, apart func(name string) bool, report progress.Func) ([]ledger.Seen, error) {
	mounts, err := m.mountsOfInit()
	if err != nil {
		return nil, err
	}
	w := &keeping{ctx: ctx, apart: apart, report: report, mounts: mounts, points: map[string]bool{}, links: map[[2]uint64]bool{}, left: mostEntries}
	for _, info := range mounts {
		w.points[info.Point] = true
	}
	for _, area := range ledger.Areas() {
		place, _ := ledger.Place(area)
		if err := w.area(m.State, place); err != nil {
			return nil, fmt.Errorf("look at the state of the machine: %w", err)
		}
	}
	return w.seen, nil
}

// mountsOfInit are the mounts of the machine itself.
func (m Machine) mountsOfInit() ([]mount.Info, error) {
	text, err := os.ReadFile(m.at("proc/1/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("look at mounts: %w", err)
	}
	return mount.ParseInfo(string(text))
}

type keeping struct {
	ctx    context.Context
	apart  func(name string) bool
	report progress.Func
	mounts []mount.Info
	points map[string]bool    // where they are
	links  map[[2]uint64]bool // files with several names that were counted, by device and inode
	left   int
	seen   []ledger.Seen
}

// none is the part of directories that are shared: nobody's.
const none = -1

func (w *keeping) area(state, place string) error {
	dir, err := unix.Open(filepath.Join(state, place), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "open", Path: filepath.Join(state, place), Err: err}
	}
	var about unix.Stat_t
	if err := unix.Fstat(dir, &about); err != nil {
		unix.Close(dir)
		return err
	}
	name := ledger.Name(place)
	if top, mounted := mount.On(w.mounts, name); mounted && top.Device != fmt.Sprintf("%d:%d", unix.Major(about.Dev), unix.Minor(about.Dev)) {
		w.mounted(name, none, &about)
		return unix.Close(dir)
	}
	part := none
	if w.apart(name) {
		part = w.begin(name, &about)
	}
	return w.directory(dir, name, part, 0)
}

// begin makes a part, and gives its number.
func (w *keeping) begin(name string, about *unix.Stat_t) int {
	w.seen = append(w.seen, ledger.Seen{Path: name, UID: about.Uid})
	w.count(len(w.seen)-1, about)
	return len(w.seen) - 1
}

// count adds a file to a part. One with several names takes its room once.
func (w *keeping) count(part int, about *unix.Stat_t) {
	s := &w.seen[part]
	s.Files++
	if latest := time.Unix(about.Mtim.Unix()).UTC(); latest.After(s.Latest) {
		s.Latest = latest
	}
	if about.Nlink > 1 && about.Mode&unix.S_IFMT != unix.S_IFDIR {
		key := [2]uint64{about.Dev, about.Ino}
		if w.links[key] {
			return
		}
		w.links[key] = true
	}
	s.Bytes += about.Blocks * 512
}

// directory looks at what is in an open directory, which it closes.
func (w *keeping) directory(fd int, name string, part, depth int) error {
	dir := os.NewFile(uintptr(fd), name)
	defer dir.Close()
	for {
		names, err := dir.Readdirnames(batch)
		for _, base := range names {
			if err := w.entry(int(dir.Fd()), path.Join(name, base), base, part, depth); err != nil {
				return err
			}
		}
		if len(names) == 0 || err != nil {
			return nil // the directory may have gone meanwhile
		}
	}
}

func (w *keeping) entry(dir int, name, base string, part, depth int) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	name = ledger.Name(name[1:]) // in /var is /usr/local
	if w.left--; w.left%batch == 0 {
		w.report.Report(progress.Event{Stage: "look at the state", Detail: name, Done: int64(mostEntries - w.left)})
	}
	if w.left < 0 {
		w.partial(part)
		return nil
	}
	var about unix.Stat_t
	if err := unix.Fstatat(dir, base, &about, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if !isGone(err) {
			w.partial(part)
		}
		return nil
	}
	if w.apart(name) {
		part = w.begin(name, &about)
	} else if part != none {
		w.count(part, &about)
	}
	if w.points[visible(name)] {
		w.mounted(name, part, &about)
		return nil
	}
	if about.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if depth == deepest {
		w.partial(part)
		return nil
	}
	fd, err := openBeneath(dir, base)
	switch {
	case errors.Is(err, unix.EXDEV):
		w.mounted(name, part, &about)
		return nil
	case err != nil:
		if !isGone(err) && !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) { // it is another one now
			w.partial(part)
		}
		return nil
	}
	return w.directory(fd, name, part, depth+1)
}

// visible is a path as mounts are listed: /usr/local is a symlink.
func visible(name string) string {
	place, _ := ledger.Place(name)
	return "/" + place
}

// mounted notes that something is mounted at a path: at a part, or within one.
func (w *keeping) mounted(name string, part int, about *unix.Stat_t) {
	if part == none || w.seen[part].Path != name {
		w.seen = append(w.seen, ledger.Seen{Path: name, UID: about.Uid})
		part = len(w.seen) - 1
	}
	w.seen[part].Mount = true
}

func (w *keeping) partial(part int) {
	if part != none {
		w.seen[part].Part = true
	}
}

// openBeneath opens a directory in another: never a symlink, and nothing that is
// mounted there.
func openBeneath(dir int, base string) (int, error) {
	for {
		fd, err := unix.Openat2(dir, base, &unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
		if err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}
