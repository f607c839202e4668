package state

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Names of records in the state directory: what was applied last, and what is
// being applied, or was when the power went. What is there may then be of either.
const (
	appliedRecord  = "var.applied"
	applyingRecord = "var.applying"
)

// ownedTargets are what the target of a symlink begins with when the symlink is
// not a start for the machine but belongs to Stet for good.
func ownedTargets() []string { return []string{"/usr/lib/stet/", "/usr/lib/sysimage/"} }

// Var applies a var tree to the state of a machine.
type Var struct {
	Image string // digest of the var image: the same one is not applied twice
	State string // the state directory, with var, home, root, srv, opt
	Saved string // where a person's file goes that stands in the way, relative to State

	// Tree gives the mounted var tree; it is asked for only when needed.
	Tree func() (string, error)
}

// Apply makes what is missing, renews what nobody changed, and puts owned
// symlinks in their places:
//
//   - a directory is made when missing;
//   - a file, or a symlink to anywhere, is a seed: made when missing, replaced
//     while it is still what was applied last;
//   - a symlink into Stet's part of /usr is owned: enforced. What a person has
//     there is moved below Saved;
//   - an owned symlink that the tree no longer has is removed.
//
// Problems are sentences for a person about single paths. Each step can be
// repeated: after a crash the next Apply ends the work.
func (v Var) Apply() (problems []string, err error) {
	state, err := os.OpenRoot(v.State)
	if err != nil {
		return nil, fmt.Errorf("apply the var tree: %w", err)
	}
	defer state.Close()
	last, _, err := readRecord(state, appliedRecord)
	if err != nil {
		// Without it every seed counts as a person's file, which loses nothing.
		problems = append(problems, fmt.Sprintf("seeds in /var are not renewed this time: %v", err))
	}
	cut, wasCut, err := readRecord(state, applyingRecord)
	if err != nil {
		cut = record{} // the power went before it said anything
	}
	if last.image == v.Image && !wasCut {
		return problems, nil
	}
	directory, err := v.Tree()
	if err != nil {
		return problems, fmt.Errorf("apply the var tree: %w", err)
	}
	tree, err := os.OpenRoot(directory)
	if err != nil {
		return problems, fmt.Errorf("apply the var tree: %w", err)
	}
	defer tree.Close()

	w := &applying{
		path: v.State, state: state, tree: tree, saved: v.Saved,
		before: []map[string]applied{last.applied, cut.applied}, now: map[string]applied{}, problems: problems,
	}
	if err := w.run(v.Image); err != nil {
		return w.problems, fmt.Errorf("apply the var tree: %w", err)
	}
	return w.problems, nil
}

// readRecord reads one of the records. One that is missing has nothing.
func readRecord(state *os.Root, name string) (r record, there bool, err error) {
	text, err := state.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, false, nil
	}
	if err == nil {
		r, err = parseRecord(text)
	}
	if err != nil {
		return record{}, true, err
	}
	return r, true, nil
}

type applying struct {
	path        string // of state
	state, tree *os.Root
	saved       string
	before      []map[string]applied // of either of which may be what is there
	now         map[string]applied
	made        []made
	problems    []string
}

// made is a file or symlink that is written, and has not got its name yet.
type made struct {
	name   string
	inWay  bool // what has the name is a person's, and is saved
	become applied
}

// run changes nothing that a person sees before the record of all changes, and
// the contents of all files, are on the disk: a power cut must leave no name
// without its content, and no change that the next boot takes for a person's.
func (w *applying) run(image string) error {
	if err := w.writeRecord(record{}); err != nil { // from now on it has to be walked
		return err
	}
	err := w.arrange()
	if err == nil && len(w.made) > 0 {
		for _, m := range w.made {
			w.now[m.name] = m.become
		}
		err = w.writeRecord(record{image: image, applied: w.now})
		if err == nil {
			err = syncFileSystem(w.path)
		}
		if err == nil {
			err = w.nameAll()
		}
	}
	for _, m := range w.made { // those left after an error
		w.state.RemoveAll(temporaryName(m.name))
	}
	if err != nil {
		return err
	}
	if err := w.writeRecord(record{image: image, applied: w.now}); err != nil {
		return err
	}
	if err := syncFileSystem(w.path); err != nil {
		return err
	}
	return w.state.Rename(applyingRecord, appliedRecord)
}

// nameAll gives everything that was made its name.
func (w *applying) nameAll() error {
	for len(w.made) > 0 {
		m := w.made[0]
		var err error
		if m.inWay {
			err = w.save(m.name)
		}
		if err == nil {
			err = w.state.Rename(temporaryName(m.name), m.name)
		}
		if err := w.tolerate(m.name, err); err != nil {
			return err
		}
		if err != nil {
			w.state.RemoveAll(temporaryName(m.name))
			delete(w.now, m.name)
		}
		w.made = w.made[1:]
	}
	return nil
}

// arrange makes directories, removes what goes, and makes everything else under
// other names.
func (w *applying) arrange() error {
	// Owned symlinks that go must be gone before a directory takes their place.
	for _, before := range w.before {
		for name, was := range before {
			if was.kind != "owned" {
				continue
			}
			if info, err := w.tree.Lstat(name); err == nil && info.Mode().Type() == fs.ModeSymlink {
				continue
			}
			if target, err := w.state.Readlink(name); err == nil && target == was.content {
				if err := w.tolerate(name, w.state.Remove(name)); err != nil {
					return err
				}
			}
		}
	}
	return w.directory(".")
}

func (w *applying) directory(name string) error {
	entries, err := readDirectory(w.tree, name)
	if err != nil {
		return err // the tree cannot be read: nothing is right
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, entry := range entries {
		child := path.Join(name, entry.Name())
		info, err := w.tree.Lstat(child)
		if err != nil {
			return err
		}
		switch info.Mode().Type() {
		case fs.ModeDir:
			err = w.makeDirectory(child, info)
			if err == nil {
				err = w.directory(child)
			}
		case fs.ModeSymlink:
			err = w.symlink(child, info)
		case 0:
			err = w.file(child, info)
		default:
			err = fmt.Errorf("a var tree cannot have a %v", info.Mode().Type())
		}
		if err := w.tolerate(child, err); err != nil {
			return err
		}
	}
	return nil
}

func (w *applying) makeDirectory(name string, info fs.FileInfo) error {
	if have, err := w.state.Stat(name); err == nil && have.IsDir() {
		return nil // or a person's symlink to a directory
	}
	// Under another name first: no moment with the wrong mode or owner.
	temporary := temporaryName(name)
	if err := w.state.RemoveAll(temporary); err != nil {
		return err
	}
	if err := w.state.Mkdir(temporary, 0o700); err != nil {
		return err
	}
	uid, gid := owner(info)
	if err := w.state.Lchown(temporary, uid, gid); err != nil {
		return err
	}
	if err := w.state.Chmod(temporary, info.Mode()); err != nil {
		return err
	}
	if err := w.state.Rename(temporary, name); err != nil {
		w.state.RemoveAll(temporary)
		return err
	}
	return nil
}

func (w *applying) symlink(name string, info fs.FileInfo) error {
	target, err := w.tree.Readlink(name)
	if err != nil {
		return err
	}
	uid, gid := owner(info)
	want := applied{kind: "link", uid: uid, gid: gid, content: target}
	if IsOwned(target) {
		want = applied{kind: "owned", content: target}
	}
	have, err := w.describe(name)
	if err != nil {
		return err
	}
	inWay := false
	isWanted := have != nil && have.kind == want.kind && have.content == want.content
	switch {
	case isWanted:
		w.now[name] = want
		return nil
	case have == nil || w.isUnchanged(name, have) || want.kind == "owned" && have.kind == "owned":
	case want.kind == "owned":
		inWay = true
	default:
		return nil // a person's
	}
	temporary := temporaryName(name)
	if err := w.state.RemoveAll(temporary); err != nil {
		return err
	}
	if err := w.state.Symlink(target, temporary); err != nil {
		return err
	}
	if err := w.state.Lchown(temporary, uid, gid); err != nil {
		w.state.RemoveAll(temporary)
		return err
	}
	w.made = append(w.made, made{name, inWay, want})
	return nil
}

func (w *applying) file(name string, info fs.FileInfo) error {
	want, err := describe(w.tree, name)
	if err != nil {
		return err
	}
	have, err := w.describe(name)
	if err != nil {
		return err
	}
	switch {
	case have == nil || w.isUnchanged(name, have):
	case *have == *want: // applied before a crash, or by chance: the same to everybody
		w.now[name] = *want
		return nil
	default:
		return nil // a person's
	}
	if have != nil && *have == *want {
		w.now[name] = *want
		return nil
	}
	from, err := w.tree.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	temporary := temporaryName(name)
	if err := w.state.RemoveAll(temporary); err != nil {
		return err
	}
	to, err := w.state.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err == nil {
		err = copyAttributes(from, to, info)
	}
	if closeErr := to.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = w.state.Chtimes(temporary, info.ModTime(), info.ModTime())
	}
	if err != nil {
		w.state.RemoveAll(temporary)
		return err
	}
	w.made = append(w.made, made{name, false, *want})
	return nil
}

// describe says what is at name in the state; nil when nothing is.
func (w *applying) describe(name string) (*applied, error) {
	a, err := describe(w.state, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return a, err
}

// isUnchanged reports whether what is at name is what was applied there last.
func (w *applying) isUnchanged(name string, have *applied) bool {
	return slices.ContainsFunc(w.before, func(before map[string]applied) bool {
		was, ok := before[name]
		return ok && was == *have
	})
}

// save moves what a person has at name out of the way.
func (w *applying) save(name string) error {
	to := path.Join(w.saved, name)
	if err := w.state.MkdirAll(path.Dir(to), 0o700); err != nil {
		return err
	}
	if err := w.state.Rename(name, to); err != nil {
		return fmt.Errorf("save what is there: %w", err)
	}
	w.problems = append(w.problems, fmt.Sprintf("/%s belongs to Stet; what was there is now /stet/state/%s", name, to))
	return nil
}

func (w *applying) tolerate(name string, err error) error {
	for _, fatal := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS} {
		if errors.Is(err, fatal) {
			return err
		}
	}
	if err != nil {
		w.problems = append(w.problems, fmt.Sprintf("/%s was not set up: %v", name, err))
	}
	return nil
}

// writeRecord says what is being applied.
func (w *applying) writeRecord(r record) error {
	temporary := temporaryName(applyingRecord)
	if err := w.state.WriteFile(temporary, r.bytes(), 0o600); err != nil {
		return err
	}
	return w.state.Rename(temporary, applyingRecord)
}

// describe says what is at name in the terms of a record. A directory, or
// anything else that a tree cannot seed, has an empty kind.
func describe(root *os.Root, name string) (*applied, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	uid, gid := owner(info)
	switch info.Mode().Type() {
	case fs.ModeSymlink:
		target, err := root.Readlink(name)
		if err != nil {
			return nil, err
		}
		if IsOwned(target) {
			return &applied{kind: "owned", content: target}, nil
		}
		return &applied{kind: "link", uid: uid, gid: gid, content: target}, nil
	case 0:
		file, err := root.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		hash := sha256.New()
		if _, err := io.Copy(hash, file); err != nil {
			return nil, err
		}
		return &applied{kind: "file", mode: permissions(info.Mode()), uid: uid, gid: gid, content: hex.EncodeToString(hash.Sum(nil))}, nil
	default:
		return &applied{}, nil
	}
}

// IsOwned reports whether a symlink in the state that leads to target belongs to
// Stet for good.
func IsOwned(target string) bool {
	return slices.ContainsFunc(ownedTargets(), func(prefix string) bool { return strings.HasPrefix(target, prefix) })
}

// permissions are the twelve bits of chmod(2).
func permissions(mode fs.FileMode) uint32 {
	bits := uint32(mode.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			bits |= value
		}
	}
	return bits
}

// temporaryName is a name beside name that no package and no person uses.
func temporaryName(name string) string {
	return filepath.Join(path.Dir(name), ".stet-new."+path.Base(name))
}
