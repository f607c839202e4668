package unpack

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"stet/internal/debian"
	"stet/internal/store"
	"stet/internal/tree"
)

// Stage names the memo of this room. Its number rises when the trees that it
// makes of the same .deb change.
const Stage = "unpack-1"

// Package is an unpacked .deb: the digests of two trees in the store.
type Package struct {
	Files   string `json:"files"`   // the content of data.tar
	Control string `json:"control"` // the files of control.tar
}

// Remembered gives the unpacked package of a .deb's SHA-256, if it was
// unpacked into this store before.
func Remembered(s *store.Store, sha256 string) (Package, bool) {
	var p Package
	memo, ok := s.Memo(Stage, sha256)
	return p, ok && json.Unmarshal(memo, &p) == nil
}

// Deb unpacks a .deb of the given SHA-256, which the caller has verified. Its
// workers decompress one member together where the compression allows.
func Deb(s *store.Store, r io.ReaderAt, size int64, sha256 string, workers int) (Package, error) {
	if p, ok := Remembered(s, sha256); ok {
		return p, nil
	}
	deb, err := debian.OpenDeb(r, size)
	if err != nil {
		return Package{}, err
	}
	deb.Limits.Workers = workers
	var p Package
	if p.Control, err = control(s, deb); err != nil {
		return Package{}, err
	}
	if p.Files, err = files(s, deb); err != nil {
		return Package{}, err
	}
	memo, err := json.Marshal(p)
	if err != nil {
		return Package{}, err
	}
	s.Memoise(Stage, sha256, memo)
	return p, nil
}

// control stores the control files as a flat tree.
func control(s *store.Store, deb *debian.Deb) (string, error) {
	c, err := deb.Control()
	if err != nil {
		return "", err
	}
	entries := []tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}}
	for name, data := range c.Files {
		d, err := s.PutBytes(data)
		if err != nil {
			return "", err
		}
		entries = append(entries, tree.Entry{Path: "/" + name, Type: tree.Regular, Mode: 0o644, Size: int64(len(data)), Digest: d})
	}
	return put(s, entries)
}

// files stores the content of data.tar.
func files(s *store.Store, deb *debian.Deb) (string, error) {
	data, err := deb.Data()
	if err != nil {
		return "", err
	}
	defer data.Close()
	b := tree.NewBuilder()
	b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	seen := map[string]bool{}
	for {
		raw, err := data.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		e, err := entry(s, b, raw, data)
		if err != nil {
			return "", err
		}
		if seen[e.Path] && e.Type != tree.Directory {
			return "", fmt.Errorf("%s: the package has this path twice", e.Path)
		}
		seen[e.Path] = true
		// A package may leave out the directories that others surely have.
		b.MakeParents(e.Path, tree.Time{})
		b.Put(e)
	}
	return put(s, b.Entries())
}

func put(s *store.Store, entries []tree.Entry) (string, error) {
	made, err := tree.New(entries)
	if err != nil {
		return "", err
	}
	return s.PutTree(made)
}

// entry makes an entry of what the archive has. A hard link becomes an equal
// entry.
func entry(s *store.Store, b *tree.Builder, raw *debian.Entry, data io.Reader) (tree.Entry, error) {
	e := tree.Entry{
		Path: raw.Path, Mode: raw.Mode, UID: raw.UID, GID: raw.GID,
		Mtime:  tree.Time{Sec: raw.ModTime.Unix(), Nsec: uint32(raw.ModTime.Nanosecond())},
		Xattrs: xattrs(raw.Xattrs),
	}
	switch raw.Type {
	case debian.File:
		var err error
		e.Type = tree.Regular
		if e.Digest, e.Size, err = s.Put(data); err != nil {
			return e, fmt.Errorf("unpack %s: %w", raw.Path, err)
		}
		if e.Mode&setUID != 0 && !isStatic(e.UID) || e.Mode&setGID != 0 && !isStatic(e.GID) {
			return e, fmt.Errorf("%s: runs as user %d and group %d (mode %04o), whom every machine has otherwise; only a script can give a file to them", raw.Path, e.UID, e.GID, e.Mode)
		}
	case debian.Directory:
		e.Type = tree.Directory
		e.Mtime = tree.Time{} // a directory's time is the machine's epoch
	case debian.Symlink:
		e.Type, e.Target, e.Mode = tree.Symlink, raw.Target, 0o777
	case debian.HardLink:
		target, ok := b.Get(raw.Target)
		if !ok || target.Type != tree.Regular {
			return e, fmt.Errorf("%s: is a hard link to %s, which is no earlier file of the package", raw.Path, raw.Target)
		}
		target.Path = raw.Path
		return target, nil
	case debian.FIFO:
		e.Type = tree.FIFO
	case debian.CharDevice, debian.BlockDevice:
		return e, fmt.Errorf("%s: is a %s (%d:%d); a package of a machine has no devices", raw.Path, raw.Type, raw.Major, raw.Minor)
	default:
		return e, fmt.Errorf("%s: unknown type %s", raw.Path, raw.Type)
	}
	return e, nil
}

// Bits of a mode by which a program runs as its owner, or its group.
const setUID, setGID = 0o4000, 0o2000

// isStatic reports whether a user or group has the same number on every Debian
// machine (Debian Policy 9.2.2). Who has another one, a package cannot know: it
// may be the first person who gets an account.
func isStatic(id uint32) bool { return id < 100 || id >= 60000 && id < 65000 }

func xattrs(raw map[string]string) []tree.Xattr {
	var out []tree.Xattr
	for _, key := range slices.SortedFunc(maps.Keys(raw), cmp.Compare) {
		out = append(out, tree.Xattr{Key: key, Value: []byte(raw[key])})
	}
	return out
}
