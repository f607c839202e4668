package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
	"stet/internal/tree"
)

// Harvest implements [Provided]: it reads the upper directory, which holds
// exactly what was changed.
func (l *layered) Harvest(mtime tree.Time) (*tree.Tree, error) {
	b := tree.NewBuilder(l.before)
	l.moved = map[string]string{}
	err := filepath.WalkDir(l.upper(), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return l.harvest(b, "/"+strings.TrimPrefix(strings.TrimPrefix(name, l.upper()), "/"), name, mtime)
	})
	if err != nil {
		return nil, fmt.Errorf("harvest: %w", err)
	}
	return b.Tree()
}

func (l *layered) harvest(b *tree.Builder, inside, name string, mtime tree.Time) error {
	var stat unix.Stat_t
	if err := unix.Lstat(name, &stat); err != nil {
		return &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	attributes, err := l.listXattrs(name)
	if err != nil {
		return err
	}
	e := tree.Entry{Path: inside, Mode: stat.Mode & 0o7777, UID: stat.Uid, GID: stat.Gid, Mtime: mtime}
	for _, x := range attributes {
		if !strings.HasPrefix(x.Key, l.prefix) {
			e.Xattrs = append(e.Xattrs, x)
		}
	}
	old, existed := b.Get(inside)
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.Type = tree.Directory
		return l.harvestDirectory(b, e, attributes)
	case unix.S_IFREG:
		e.Type = tree.Regular
		if err := l.harvestFile(&e, name, attributes); err != nil {
			return err
		}
		if existed && old.SameContent(&e) {
			e.Mtime = old.Mtime
		}
	case unix.S_IFLNK:
		e.Type, e.Mode = tree.Symlink, 0o777
		if e.Target, err = os.Readlink(name); err != nil {
			return err
		}
		if existed && old.SameContent(&e) {
			e.Mtime = old.Mtime
		}
	case unix.S_IFCHR:
		if stat.Rdev == 0 { // a whiteout
			b.Remove(inside)
			return nil
		}
		return fmt.Errorf("%s: a script made a device node", inside)
	case unix.S_IFIFO:
		e.Type = tree.FIFO
	default:
		return nil // a socket means nothing without its process
	}
	if existed && old.Type == tree.Directory {
		b.Remove(inside)
	}
	b.Put(e)
	return nil
}

// harvestDirectory follows what overlayfs notes on a directory: "opaque"
// hides what was there, "redirect" says that it was moved here from elsewhere.
func (l *layered) harvestDirectory(b *tree.Builder, e tree.Entry, attributes []tree.Xattr) error {
	opaque, _ := lookupXattr(attributes, l.prefix+"opaque")
	if string(opaque) == "y" {
		b.Remove(e.Path)
	}
	if old, ok := b.Get(e.Path); ok && old.Type != tree.Directory {
		b.Remove(e.Path)
	}
	if redirect, ok := lookupXattr(attributes, l.prefix+"redirect"); ok {
		b.Remove(e.Path)
		from := l.redirectTarget(e.Path, string(redirect))
		l.moved[e.Path] = from
		for moved := range l.before.Below(from) {
			c := *moved
			c.Path = path.Join(e.Path, strings.TrimPrefix(c.Path, from))
			c.Mtime = e.Mtime // made here: elsewhere the kernel has it copied
			b.Put(c)
		}
	}
	b.Put(e)
	return nil
}

// harvestFile reads a changed file. One whose metadata alone was changed has
// its content where it was.
func (l *layered) harvestFile(e *tree.Entry, name string, attributes []tree.Xattr) error {
	if _, ok := lookupXattr(attributes, l.prefix+"metacopy"); ok {
		redirect, ok := lookupXattr(attributes, l.prefix+"redirect")
		if !ok {
			redirect = []byte(path.Base(e.Path))
		}
		from := l.redirectTarget(e.Path, string(redirect))
		old, ok := l.before.Lookup(from)
		if !ok || old.Type != tree.Regular {
			return fmt.Errorf("%s: its content should be that of %s, which was no file", e.Path, from)
		}
		e.Size, e.Digest = old.Size, old.Digest
		return nil
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	e.Digest, e.Size, err = l.store.Put(file)
	return err
}

// redirectTarget resolves a redirect, which is absolute, or a name in the
// directory that the path's own was before it was moved.
func (l *layered) redirectTarget(name, redirect string) string {
	if strings.HasPrefix(redirect, "/") {
		return path.Clean(redirect)
	}
	return path.Join(l.origin(path.Dir(name)), redirect)
}

// origin is where a directory was before scripts moved it, or one above it.
func (l *layered) origin(dir string) string {
	if from, ok := l.moved[dir]; ok {
		return from
	}
	if dir == "/" {
		return dir
	}
	return path.Join(l.origin(path.Dir(dir)), path.Base(dir))
}

func lookupXattr(list []tree.Xattr, key string) ([]byte, bool) {
	e := tree.Entry{Xattrs: list}
	return e.Xattr(key)
}

// listXattrs gives the extended attributes of a path itself, sorted by key.
func (l *layered) listXattrs(name string) ([]tree.Xattr, error) {
	keys, value := l.buffer[:64<<10], l.buffer[64<<10:]
	n, err := unix.Llistxattr(name, keys)
	if errors.Is(err, syscall.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, &fs.PathError{Op: "listxattr", Path: name, Err: err}
	}
	var out []tree.Xattr
	for key := range bytes.SplitSeq(bytes.TrimSuffix(keys[:n], []byte{0}), []byte{0}) {
		if len(key) == 0 {
			continue
		}
		m, err := unix.Lgetxattr(name, string(key), value)
		if err != nil {
			return nil, &fs.PathError{Op: "getxattr " + string(key), Path: name, Err: err}
		}
		out = append(out, tree.Xattr{Key: string(key), Value: slices.Clone(value[:m])})
	}
	slices.SortFunc(out, func(a, b tree.Xattr) int { return strings.Compare(a.Key, b.Key) })
	return out, nil
}
