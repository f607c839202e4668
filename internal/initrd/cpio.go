package initrd

import (
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Types of a file in the mode of a cpio header, as in inode(7).
const (
	typeDirectory = 0o040000
	typeFile      = 0o100000
	typeSymlink   = 0o120000
)

// maxSize is the largest file of a newc archive: its size has eight hex digits.
const maxSize = 1<<32 - 1

// blockSize is what an archive is padded to, as cpio(1) does, so that another
// archive can follow it.
const blockSize = 512

// A Writer writes a cpio archive in the newc format. Archives can be put one
// behind the other: the kernel unpacks all of them into one tree.
type Writer struct {
	w       io.Writer
	written int64
	inode   uint32
	seen    map[string]bool
	err     error
}

// NewWriter returns a Writer to w. It writes many small pieces: w should be
// buffered.
func NewWriter(w io.Writer) *Writer {
	return &Writer{w: w, seen: map[string]bool{".": true}}
}

// Directory adds a directory with the given permissions. Its parents must have
// been added before: the kernel makes none.
func (w *Writer) Directory(name string, permissions uint32) error {
	err := w.entry(name, typeDirectory|permissions&0o7777, 2, nil)
	if err == nil {
		w.seen[clean(name)] = true
	}
	return err
}

// File adds a regular file.
func (w *Writer) File(name string, permissions uint32, content []byte) error {
	return w.entry(name, typeFile|permissions&0o7777, 1, content)
}

// Symlink adds a symbolic link that points to target.
func (w *Writer) Symlink(name, target string) error {
	return w.entry(name, typeSymlink|0o777, 1, []byte(target))
}

// Close ends the archive. It does not close the writer below.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	// All fields of the trailer are zero but for the link count, as in cpio(1).
	w.header("TRAILER!!!", 0, 0, 1, 0)
	w.pad(blockSize)
	if w.err == nil {
		w.err = errors.New("the cpio archive is closed")
		return nil
	}
	return w.err
}

func (w *Writer) entry(name string, mode, links uint32, content []byte) error {
	if w.err != nil {
		return w.err
	}
	name = clean(name)
	switch {
	case name == "" || strings.ContainsRune(name, 0):
		return fmt.Errorf("%q is no name for a file in a cpio archive", name)
	case len(content) > maxSize:
		return fmt.Errorf("%s: %d bytes are too many for a cpio archive", name, len(content))
	case !w.seen[path.Dir(name)]:
		return fmt.Errorf("%s: its directory is not in the cpio archive yet", name)
	}
	w.inode++
	w.header(name, w.inode, mode, links, len(content))
	w.write(content)
	w.pad(4)
	return w.err
}

// header writes the header and the name, padded to four bytes.
func (w *Writer) header(name string, inode, mode, links uint32, size int) {
	w.write(fmt.Appendf(nil, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X",
		inode, mode,
		0, 0, // uid, gid
		links,
		0, // mtime
		size,
		0, 0, // device of the file system
		0, 0, // device number of a device node
		len(name)+1,
		0)) // no checksum in newc
	w.write([]byte(name))
	w.write([]byte{0})
	w.pad(4)
}

func (w *Writer) write(p []byte) {
	if w.err != nil {
		return
	}
	n, err := w.w.Write(p)
	w.written += int64(n)
	if err != nil {
		w.err = fmt.Errorf("write the cpio archive: %w", err)
	}
}

func (w *Writer) pad(to int64) {
	if rest := w.written % to; rest != 0 {
		w.write(make([]byte, to-rest))
	}
}

func clean(name string) string {
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}
