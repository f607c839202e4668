package facts

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"stet/internal/drift"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/tree"
)

// beside are where people put software that is of no package: how they call the
// place, and where it is in the state.
var beside = []struct{ name, place string }{{"/usr/local", "/var/usrlocal"}, {"/opt", "/opt"}}

// most is up to how many files a directory that somebody put there is counted.
const most = 10000

// state looks at what of the state a system has a say in.
func (m Machine) state(running plan.System, seen *drift.Seen) error {
	declared, err := m.Store.Tree(running.Trees["var"])
	if err != nil {
		return err
	}
	user, err := m.userNames()
	if err != nil {
		return err
	}
	for _, b := range beside {
		p := placing{declared: declared, user: user, name: b.name, place: b.place, at: m.at(b.place)}
		if err := p.directory("/"); err != nil {
			return err
		}
		seen.Placed = append(seen.Placed, p.found...)
	}
	for e := range declared.All() {
		if e.Type != tree.Symlink || !state.IsOwned(e.Target) {
			continue
		}
		link, ok, err := m.link(e)
		if err != nil {
			return err
		}
		if !ok {
			seen.Links = append(seen.Links, link)
		}
	}
	return nil
}

// link looks at a link of Stet's; ok reports whether it is as it should be.
func (m Machine) link(e *tree.Entry) (l drift.Link, ok bool, err error) {
	at := m.at(e.Path)
	l = drift.Link{Path: e.Path, Target: e.Target}
	info, err := os.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return l, false, nil
	}
	if err != nil {
		return l, false, err
	}
	l.Type = typeOf(info.Mode())
	l.Changed, _ = changed(at)
	if info.Mode().Type() == fs.ModeSymlink {
		if l.To, err = os.Readlink(at); err != nil {
			return l, false, err
		}
	}
	return l, l.To == e.Target, nil
}

// placing walks one of the places, as deep as directories are declared there: what
// is below others came with them.
type placing struct {
	declared    *tree.Tree
	user        func(uid uint32) string
	name, place string
	at          string // where place is
	found       []drift.Placed
}

func (p *placing) directory(below string) error {
	entries, err := os.ReadDir(filepath.Join(p.at, below))
	if isAway(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := p.entry(path.Join(below, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (p *placing) entry(below string) error {
	at := filepath.Join(p.at, below)
	info, err := os.Lstat(at)
	if isAway(err) {
		return nil
	}
	if err != nil {
		return err
	}
	found := drift.Placed{Path: path.Join(p.name, below), Type: typeOf(info.Mode())}
	if declared, ok := p.declared.Lookup(path.Join(p.place, below)); ok {
		switch {
		case declared.Type == tree.Directory && info.IsDir():
			return p.directory(below)
		case declared.Type.String() == found.Type && found.Type != tree.Symlink.String():
			return nil // a seed, which is a person's to change
		case state.IsOwned(declared.Target):
			return nil // told as a link that is not what it should be
		}
		found.Instead = true
	}
	found.Changed, _ = changed(at)
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		found.User = p.user(stat.Uid)
	}
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		if found.Target, err = os.Readlink(at); err != nil {
			return err
		}
		if declared, ok := p.declared.Lookup(path.Join(p.place, below)); ok && declared.Target == found.Target {
			return nil
		}
	case fs.ModeDir:
		if found.Files, found.More, err = countFiles(at); err != nil {
			return err
		}
		if found.Files == 0 && !found.Instead {
			return nil // programs make the places where they look for more
		}
	}
	p.found = append(p.found, found)
	return nil
}

// countFiles counts what is no directory, up to [most].
func countFiles(dir string) (n int, more bool, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		switch {
		case isAway(err):
			return nil
		case err != nil:
			return err
		case entry.IsDir():
			return nil
		case n == most:
			more = true
			return fs.SkipAll
		}
		n++
		return nil
	})
	return n, more, err
}

// isAway reports whether something went while it was looked at, or is of a file
// system that shows it to its user alone, or whose server is gone (mount.fuse(8)):
// that is told as a mount.
func isAway(err error) bool {
	for _, of := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOTCONN, syscall.ESTALE} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
