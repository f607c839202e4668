package facts

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/tree"
)

// compared are the beginnings of names of extended attributes that somebody gives a
// file (xattr(7)): those of a security module follow from its policy, and those of
// overlayfs say how it keeps a file.
var compared = []string{"user.", "trusted.", "security.capability", "system.posix_acl_"}

func isCompared(name string) bool {
	begins := func(with string) bool { return strings.HasPrefix(name, with) }
	return slices.ContainsFunc(compared, begins) && !begins("trusted.overlay.") && !begins("user.overlay.")
}

// attributes names the extended attributes of a file or directory that are not as
// declared, sorted; what is declared nowhere has none.
func attributes(at string, info fs.FileInfo, declared *tree.Entry) ([]string, error) {
	if !info.Mode().IsRegular() && !info.IsDir() {
		return nil, nil
	}
	is, err := readAttributes(at)
	if err != nil {
		return nil, err
	}
	var others []string
	if declared != nil {
		for _, x := range declared.Xattrs {
			if value, ok := is[x.Key]; isCompared(x.Key) && (!ok || !bytes.Equal(value, x.Value)) {
				others = append(others, x.Key)
			}
			delete(is, x.Key)
		}
	}
	for name := range is {
		others = append(others, name)
	}
	slices.Sort(others)
	return others, nil
}

// readAttributes reads those that are compared.
func readAttributes(at string) (map[string][]byte, error) {
	names, err := grown(func(into []byte) (int, error) { return unix.Llistxattr(at, into) })
	if err != nil {
		return nil, &os.PathError{Op: "list attributes of", Path: at, Err: err}
	}
	all := map[string][]byte{}
	for name := range strings.SplitSeq(strings.Trim(string(names), "\x00"), "\x00") {
		if !isCompared(name) {
			continue
		}
		value, err := grown(func(into []byte) (int, error) { return unix.Lgetxattr(at, name, into) })
		if err != nil {
			return nil, &os.PathError{Op: "read the attribute " + name + " of", Path: at, Err: err}
		}
		all[name] = value
	}
	return all, nil
}

// grown reads what may become longer meanwhile. What went, or cannot be there, is
// nothing.
func grown(read func(into []byte) (int, error)) ([]byte, error) {
	for into := make([]byte, 256); ; into = make([]byte, 4*len(into)) {
		n, err := read(into)
		switch {
		case errors.Is(err, unix.ERANGE) && len(into) < 1<<20:
			continue
		case errors.Is(err, unix.ENODATA), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
			return nil, nil
		case err != nil:
			return nil, err
		}
		return into[:n], nil
	}
}
