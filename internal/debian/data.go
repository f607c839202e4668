package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"
)

// EntryType says what an entry of data.tar is.
type EntryType uint8

const (
	File EntryType = iota + 1
	Directory
	Symlink
	HardLink
	CharDevice
	BlockDevice
	FIFO
)

// String names the type as a user would.
func (t EntryType) String() string {
	switch t {
	case File:
		return "file"
	case Directory:
		return "directory"
	case Symlink:
		return "symbolic link"
	case HardLink:
		return "hard link"
	case CharDevice:
		return "character device"
	case BlockDevice:
		return "block device"
	case FIFO:
		return "named pipe"
	default:
		return fmt.Sprintf("entry type %d", uint8(t))
	}
}

// Entry is one entry of data.tar. Its path is safe to join to a root as text;
// whether a directory on the way to it is a symbolic link, and whether a path
// comes twice, is for the caller to see.
type Entry struct {
	Path    string // absolute and clean: "/usr/bin/x"; "/" is the root itself
	Type    EntryType
	Mode    uint32 // permissions with set-uid, set-gid and sticky bits: 0 to 07777
	UID     uint32
	GID     uint32
	User    string // name of the owner, which dpkg prefers to UID; may be empty
	Group   string
	Size    int64 // bytes of a File
	ModTime time.Time

	// Target is a Symlink's text as it stands, or the path of the file that a
	// HardLink is another name of, in the form of Path.
	Target string

	Major, Minor uint32 // of a device

	// Xattrs are the extended attributes by their full names
	// ("security.capability"); nil when there are none. dpkg itself packs none.
	Xattrs map[string]string
}

// DataReader walks through a data.tar.
type DataReader struct {
	member  string
	stream  io.ReadCloser
	archive *tar.Reader
	left    int64 // bytes of file content that may still follow
	limit   int64
	path    string // of the current entry
	err     error  // after the end
}

// Data opens data.tar. The caller must close the reader; it may do so early.
func (d *Deb) Data() (*DataReader, error) {
	limits := d.Limits.withDefaults()
	stream, err := d.openMember(d.data, limits.DataSize, limits)
	if err != nil {
		return nil, fmt.Errorf("read .deb: member %s: %w", d.data.name, err)
	}
	return &DataReader{
		member:  d.data.name,
		stream:  stream,
		archive: tar.NewReader(stream),
		left:    limits.DataSize,
		limit:   limits.DataSize,
	}, nil
}

// DataStream opens data.tar as a plain stream of bytes, decompressed and
// limited but not validated.
func (d *Deb) DataStream() (io.ReadCloser, error) {
	limits := d.Limits.withDefaults()
	stream, err := d.openMember(d.data, limits.DataSize, limits)
	if err != nil {
		return nil, fmt.Errorf("read .deb: member %s: %w", d.data.name, err)
	}
	return stream, nil
}

// Close ends the reading and frees what it holds.
func (d *DataReader) Close() error {
	if d.err == nil {
		d.err = errors.New("read .deb: data.tar is closed")
	}
	return d.stream.Close()
}

// Next returns the next entry, or io.EOF when the whole member was read and
// its checksum is right.
func (d *DataReader) Next() (*Entry, error) {
	if d.err != nil {
		return nil, d.err
	}
	e, err := d.next()
	if err != nil {
		if err != io.EOF {
			err = fmt.Errorf("read .deb: member %s: %w", d.member, err)
		}
		d.err = err
		return nil, err
	}
	d.path = e.Path
	return e, nil
}

func (d *DataReader) next() (*Entry, error) {
	for {
		h, err := d.archive.Next()
		if err == io.EOF {
			if _, err := io.Copy(io.Discard, d.stream); err != nil {
				return nil, err
			}
			return nil, io.EOF
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue // comments of git-archive and the like
		}
		e, err := newEntry(h)
		if err != nil {
			return nil, err
		}
		// A sparse file claims more than the stream holds, so the limit on the
		// stream does not limit it.
		if e.Size > d.left {
			return nil, fmt.Errorf("file %s: the files are larger than the limit of %d bytes", e.Path, d.limit)
		}
		d.left -= e.Size
		return e, nil
	}
}

// Read reads from the current entry's file, to io.EOF at its end.
func (d *DataReader) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.archive.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("read .deb: member %s: file %s: %w", d.member, d.path, err)
		d.err = err
	}
	return n, err
}

func newEntry(h *tar.Header) (*Entry, error) {
	name, err := entryPath(h.Name)
	if err != nil {
		return nil, err
	}
	e := &Entry{
		Path:    name,
		Mode:    uint32(h.Mode & 0o7777),
		User:    h.Uname,
		Group:   h.Gname,
		ModTime: h.ModTime,
	}
	// The highest number is -1, which chown takes for "leave it".
	const highestID = 1<<32 - 2
	if h.Uid < 0 || h.Uid > highestID || h.Gid < 0 || h.Gid > highestID {
		return nil, fmt.Errorf("%s: owner %d:%d is out of range", name, h.Uid, h.Gid)
	}
	e.UID, e.GID = uint32(h.Uid), uint32(h.Gid)
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		e.Type, e.Size = File, h.Size
	case tar.TypeDir:
		e.Type = Directory
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) >= maxPath || strings.ContainsAny(h.Linkname, "\x00\n") {
			return nil, fmt.Errorf("%s: %.80q cannot be the target of a symbolic link", name, h.Linkname)
		}
		e.Type, e.Target = Symlink, h.Linkname
	case tar.TypeLink:
		e.Type = HardLink
		if e.Target, err = entryPath(h.Linkname); err != nil {
			return nil, fmt.Errorf("%s: hard link: %w", name, err)
		}
		if e.Target == name || e.Target == "/" {
			return nil, fmt.Errorf("%s: hard link to %s", name, e.Target)
		}
	case tar.TypeChar, tar.TypeBlock:
		e.Type = CharDevice
		if h.Typeflag == tar.TypeBlock {
			e.Type = BlockDevice
		}
		if h.Devmajor < 0 || h.Devmajor >= 1<<12 || h.Devminor < 0 || h.Devminor >= 1<<20 {
			return nil, fmt.Errorf("%s: device %d:%d is out of range", name, h.Devmajor, h.Devminor)
		}
		e.Major, e.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	case tar.TypeFifo:
		e.Type = FIFO
	default:
		return nil, fmt.Errorf("%s: unknown tar type %q", name, h.Typeflag)
	}
	if name == "/" && e.Type != Directory {
		return nil, fmt.Errorf("the root is a %s", e.Type)
	}
	for record, value := range h.PAXRecords {
		attribute, ok := strings.CutPrefix(record, "SCHILY.xattr.")
		if !ok {
			continue
		}
		if attribute == "" || len(attribute) > 255 || len(value) > 64<<10 {
			return nil, fmt.Errorf("%s: extended attribute %.80q is too long or has no name", name, attribute)
		}
		if e.Xattrs == nil {
			e.Xattrs = make(map[string]string)
		}
		e.Xattrs[attribute] = value
	}
	return e, nil
}

const (
	maxPath = 4096 // PATH_MAX, with the NUL
	maxName = 255  // NAME_MAX
)

// entryPath turns a name in the archive, "./usr/bin/x", into "/usr/bin/x".
func entryPath(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("an entry has no name")
	case name[0] == '/':
		return "", fmt.Errorf("path %.80q is absolute", name)
	case len(name) >= maxPath-1:
		return "", fmt.Errorf("path %.80q… is longer than %d bytes", name, maxPath)
	// dpkg's lists of files are lines.
	case strings.ContainsAny(name, "\x00\n"):
		return "", fmt.Errorf("path %.80q holds a NUL byte or a line end", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", fmt.Errorf("path %.80q goes upwards", name)
		}
		if len(part) > maxName {
			return "", fmt.Errorf("path %.80q… has a part longer than %d bytes", name, maxName)
		}
	}
	return path.Clean("/" + name), nil
}
