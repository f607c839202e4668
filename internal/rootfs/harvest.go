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

// overlayPrefix begins the attributes by which overlayfs keeps its own
// account in an upper directory (overlayfs.rst of the kernel).
const overlayPrefix = "trusted.overlay."

// Harvest implements [Provided]: it reads the upper directory, which holds
// exactly what was changed.
func (o *overlay) Harvest(mtime tree.Time) (*tree.Tree, error) {
	b := tree.NewBuilder(o.before)
	err := filepath.WalkDir(o.upper(), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return o.harvest(b, "/"+strings.TrimPrefix(strings.TrimPrefix(name, o.upper()), "/"), name, mtime)
	})
	if err != nil {
		return nil, fmt.Errorf("harvest: %w", err)
	}
	return b.Tree()
}

func (o *overlay) harvest(b *tree.Builder, inside, name string, mtime tree.Time) error {
	var stat unix.Stat_t
	if err := unix.Lstat(name, &stat); err != nil {
		return &fs.PathError{Op: "lstat", Path: name, Err: err}
	}
	attributes, err := o.listXattrs(name)
	if err != nil {
		return err
	}
	e := tree.Entry{Path: inside, Mode: stat.Mode & 0o7777, UID: stat.Uid, GID: stat.Gid, Mtime: mtime}
	for _, x := range attributes {
		if !strings.HasPrefix(x.Key, overlayPrefix) {
			e.Xattrs = append(e.Xattrs, x)
		}
	}
	old, existed := b.Get(inside)
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		e.Type = tree.Directory
		return o.harvestDirectory(b, e, attributes)
	case unix.S_IFREG:
		e.Type = tree.Regular
		if err := o.harvestFile(&e, name, attributes); err != nil {
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
func (o *overlay) harvestDirectory(b *tree.Builder, e tree.Entry, attributes []tree.Xattr) error {
	opaque, _ := lookupXattr(attributes, overlayPrefix+"opaque")
	if string(opaque) == "y" {
		b.Remove(e.Path)
	}
	if old, ok := b.Get(e.Path); ok && old.Type != tree.Directory {
		b.Remove(e.Path)
	}
	if redirect, ok := lookupXattr(attributes, overlayPrefix+"redirect"); ok {
		b.Remove(e.Path)
		from := redirectTarget(e.Path, string(redirect))
		for moved := range o.before.Below(from) {
			c := *moved
			c.Path = path.Join(e.Path, strings.TrimPrefix(c.Path, from))
			b.Put(c)
		}
	}
	b.Put(e)
	return nil
}

// harvestFile reads a changed file. One whose metadata alone was changed has
// its content where it was.
func (o *overlay) harvestFile(e *tree.Entry, name string, attributes []tree.Xattr) error {
	if _, ok := lookupXattr(attributes, overlayPrefix+"metacopy"); ok {
		from := e.Path
		if redirect, ok := lookupXattr(attributes, overlayPrefix+"redirect"); ok {
			from = redirectTarget(e.Path, string(redirect))
		}
		old, ok := o.before.Lookup(from)
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
	e.Digest, e.Size, err = o.store.Put(file)
	return err
}

// redirectTarget resolves a redirect, which is absolute or beside the path.
func redirectTarget(name, redirect string) string {
	if strings.HasPrefix(redirect, "/") {
		return path.Clean(redirect)
	}
	return path.Join(path.Dir(name), redirect)
}

func lookupXattr(list []tree.Xattr, key string) ([]byte, bool) {
	e := tree.Entry{Xattrs: list}
	return e.Xattr(key)
}

// listXattrs gives the extended attributes of a path itself, sorted by key.
func (o *overlay) listXattrs(name string) ([]tree.Xattr, error) {
	keys, value := o.buffer[:64<<10], o.buffer[64<<10:]
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
