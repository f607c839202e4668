package facts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/tree"
	"stet/internal/unified"
	"stet/internal/verity"
)

// largestText is the size up to which the content of a changed file is told.
const largestText = 256 << 10

// passwordLock is what lckpwdf(3) leaves: it says nothing.
const passwordLock = "/.pwd.lock"

// Drift is a walk of an upper of /etc: what somebody changed there.
type Drift struct {
	Upper    string // the overlay's upper directory
	Etc      string // where it is mounted
	Declared *tree.Tree
	Policy   state.Policy // what outlives the switch

	// Read gives contents of Declared.
	Read func(verity.Digest) ([]byte, error)
}

// Walk lists the paths, sorted.
func (d Drift) Walk() ([]plan.Drifted, error) {
	w := &drifting{Drift: d}
	if err := w.directory("/"); err != nil {
		return nil, fmt.Errorf("look for changes of /etc: %w", err)
	}
	slices.SortFunc(w.found, func(a, b plan.Drifted) int { return strings.Compare(a.Path, b.Path) })
	return w.found, nil
}

type drifting struct {
	Drift
	found []plan.Drifted
}

// directory looks at what the upper has in a directory.
func (w *drifting) directory(name string) error {
	entries, err := os.ReadDir(filepath.Join(w.Upper, name))
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := w.entry(path.Join(name, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (w *drifting) entry(name string) error {
	upper := filepath.Join(w.Upper, name)
	var stat unix.Stat_t
	if err := unix.Lstat(upper, &stat); err != nil {
		return &os.PathError{Op: "lstat", Path: upper, Err: err}
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFCHR && stat.Rdev == 0 {
		return w.deleted(name)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return w.compare(name)
	}
	// A directory is there, too, when something in it changed.
	if err := w.compare(name); err != nil {
		return err
	}
	for _, attribute := range []string{"trusted.overlay.opaque", "trusted.overlay.redirect"} {
		if _, err := unix.Lgetxattr(upper, attribute, nil); err == nil {
			return w.whole(name)
		} else if !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP) {
			return &os.PathError{Op: "read attributes of", Path: upper, Err: err}
		}
	}
	return w.directory(name)
}

// deleted notes that what is declared at name, and below, is gone.
func (w *drifting) deleted(name string) error {
	if _, ok := w.Declared.Lookup(name); !ok {
		return nil
	}
	w.note(plan.Drifted{Path: "/etc" + name, Change: plan.Deleted})
	for e := range w.Declared.Below(name) {
		if e.Path != name {
			w.note(plan.Drifted{Path: "/etc" + e.Path, Change: plan.Deleted})
		}
	}
	return nil
}

// whole compares all of a directory that was moved, or made in the place of
// another: the upper alone does not say what is in it.
func (w *drifting) whole(name string) error {
	there := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(w.Etc, name), func(at string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below := strings.TrimPrefix(at, w.Etc)
		there[below] = true
		if below == name {
			return nil
		}
		return w.compare(below)
	})
	if err != nil {
		return err
	}
	for e := range w.Declared.Below(name) {
		if !there[e.Path] && e.Path != name {
			w.note(plan.Drifted{Path: "/etc" + e.Path, Change: plan.Deleted})
		}
	}
	return nil
}

// compare notes what is at name, unless that is what is declared.
func (w *drifting) compare(name string) error {
	if name == passwordLock {
		return nil
	}
	at := filepath.Join(w.Etc, name)
	info, err := os.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it went while we looked
	}
	if err != nil {
		return err
	}
	declared, ok := w.Declared.Lookup(name)
	found := plan.Drifted{Path: "/etc" + name, Change: plan.Added}
	if ok {
		found.Change = plan.Modified
	}
	if err := describe(&found, at, info); err != nil {
		return err
	}
	if found.Attributes, err = attributes(at, info, declared); err != nil {
		return err
	}
	if ok && isDeclared(&found, declared) {
		return nil
	}
	if ok, err := w.isOwned(name, at, declared); err != nil || ok {
		found.Persisted = ok
		if err != nil {
			return err
		}
	}
	w.note(found)
	return nil
}

// describe fills in what is there.
func describe(d *plan.Drifted, at string, info fs.FileInfo) error {
	if err := describeEntry(d, at, info); err != nil || !info.Mode().IsRegular() {
		return err
	}
	return describeContent(d, at)
}

// describeEntry fills in what is there, but for what is in a file.
func describeEntry(d *plan.Drifted, at string, info fs.FileInfo) (err error) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: nothing tells its owner", at)
	}
	d.Mode, d.UID, d.GID = stat.Mode&0o7777, stat.Uid, stat.Gid
	d.Type = typeOf(info.Mode())
	if info.Mode().Type() == fs.ModeSymlink {
		d.Target, err = os.Readlink(at)
	}
	return err
}

// describeContent reads a file; of a large one nothing is kept.
func describeContent(d *plan.Drifted, at string) error {
	file, err := os.OpenFile(at, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := verity.NewHash()
	var start bytes.Buffer
	if _, err := io.Copy(io.MultiWriter(hash, &start), io.LimitReader(file, largestText+1)); err != nil {
		return err
	}
	if _, err := io.Copy(hash, file); err != nil {
		return err
	}
	if d.Size = hash.Size(); d.Size > 0 { // trees have no digest of nothing
		d.Digest = hash.Sum()
	}
	if text := start.String(); d.Mode&0o004 != 0 && d.Size <= largestText && unified.IsText(start.Bytes()) && utf8.ValidString(text) {
		d.Text = &text
	}
	return nil
}

func typeOf(mode fs.FileMode) string {
	switch mode.Type() {
	case 0:
		return tree.Regular.String()
	case fs.ModeDir:
		return tree.Directory.String()
	case fs.ModeSymlink:
		return tree.Symlink.String()
	}
	return "other"
}

// isDeclared reports whether what is there is what a tree has.
func isDeclared(d *plan.Drifted, e *tree.Entry) bool {
	switch {
	case d.Type != e.Type.String() || d.UID != e.UID || d.GID != e.GID || len(d.Attributes) > 0:
		return false
	case e.Type == tree.Symlink:
		return d.Target == e.Target
	case d.Mode != uint32(e.Mode):
		return false
	}
	return e.Type != tree.Regular || d.Size == e.Size && (d.Digest == e.Digest || d.Size == 0)
}

// isOwned reports whether a file of accounts differs from what is declared in
// nothing but fields that are their users': those are carried.
func (w *drifting) isOwned(name, at string, declared *tree.Entry) (bool, error) {
	if name != "/passwd" && name != "/shadow" || declared == nil || declared.Type != tree.Regular {
		return false, nil
	}
	is, err := os.ReadFile(at)
	if err != nil {
		return false, err
	}
	was, err := w.Read(declared.Digest)
	if err != nil {
		return false, err
	}
	var old, now state.Accounts
	if name == "/passwd" {
		old.Passwd, now.Passwd = was, is
	} else {
		old.Shadow, now.Shadow = was, is
	}
	merged := state.MergeAccounts(old, now, w.Policy.Users)
	return string(merged.Passwd) == string(now.Passwd) && string(merged.Shadow) == string(now.Shadow), nil
}

func (w *drifting) note(d plan.Drifted) {
	d.Persisted = d.Persisted || w.Policy.Persists(d.Path)
	w.found = append(w.found, d)
}
