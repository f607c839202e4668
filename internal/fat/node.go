package fat

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// attributes of a directory entry
const (
	attributeVolume    = 0x08
	attributeDirectory = 0x10
	attributeArchive   = 0x20
)

// node is a file or directory on its way into the volume.
type node struct {
	name     string
	short    [11]byte
	long     bool // it needs entries for its long name
	file     *File
	parent   *node
	children []*node // of a directory, sorted by name

	first    uint32 // first cluster; 0 of an empty file
	clusters uint32
	label    bool // a root directory has an entry with the volume's label
}

func newReader(data []byte) io.Reader { return bytes.NewReader(data) }

// arrange makes the tree of directories.
func arrange(files []File) (*node, error) {
	root := &node{}
	for i := range files {
		f := &files[i]
		if f.Size < 0 || f.Size > maxFile {
			return nil, fmt.Errorf("%s: %d bytes are too many for a FAT file system", f.Path, f.Size)
		}
		at := root
		for name := range strings.SplitSeq(path.Dir(f.Path), "/") {
			if name == "." {
				continue
			}
			var err error
			if at, err = at.directory(name); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
		}
		if _, err := at.add(&node{name: path.Base(f.Path), file: f}); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	root.sort()
	return root, nil
}

func (n *node) directory(name string) (*node, error) {
	for _, c := range n.children {
		if c.name == name && c.file == nil {
			return c, nil
		}
	}
	return n.add(&node{name: name})
}

func (n *node) add(child *node) (*node, error) {
	if err := checkName(child.name); err != nil {
		return nil, err
	}
	for _, c := range n.children {
		if strings.EqualFold(c.name, child.name) {
			return nil, fmt.Errorf("%s and %s cannot be in one directory of a FAT file system", c.name, child.name)
		}
	}
	child.parent = n
	n.children = append(n.children, child)
	return child, nil
}

// sort puts children in order and gives them short names, so that neither
// depends on the order of the files.
func (n *node) sort() {
	slices.SortFunc(n.children, func(a, b *node) int { return cmp.Compare(a.name, b.name) })
	taken := map[[11]byte]bool{}
	for _, c := range n.children {
		c.short, c.long = shortName(c.name, taken)
		taken[c.short] = true
		c.sort()
	}
}

// size is that of a file's content or of a directory's entries.
func (n *node) size() int64 {
	if n.file != nil {
		return n.file.Size
	}
	entries := 2 // . and ..
	if n.parent == nil {
		entries = 0
		if n.label {
			entries = 1
		}
	}
	for _, c := range n.children {
		entries += 1 + c.longEntries()
	}
	return int64(entries) * entrySize
}

// allocate gives everything its clusters: a directory before what is in it.
func (n *node) allocate(g geometry, next uint32, label string) (uint32, error) {
	n.label = n.parent == nil && label != ""
	count := (n.size() + g.clusterSize() - 1) / g.clusterSize()
	if n.file == nil && count == 0 {
		count = 1
	}
	if int64(next)+count > g.clusters+rootCluster {
		return 0, fmt.Errorf("the FAT file system of %d MB is too small for its files", g.total*sectorSize/1e6)
	}
	if count > 0 {
		n.first, n.clusters = next, uint32(count)
	}
	next += uint32(count)
	for _, c := range n.children {
		var err error
		if next, err = c.allocate(g, next, ""); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// chain appends the FAT's entries, which are in the order of allocate.
func (n *node) chain(table []uint32) []uint32 {
	for i := range n.clusters {
		value := n.first + i + 1
		if i == n.clusters-1 {
			value = endOfChain
		}
		table = append(table, value)
	}
	for _, c := range n.children {
		table = c.chain(table)
	}
	return table
}

func (n *node) write(w io.WriterAt, g geometry, v Volume) error {
	if n.file != nil {
		return n.writeFile(w, g)
	}
	if _, err := w.WriteAt(n.entries(v), g.offset(n.first)); err != nil {
		return err
	}
	for _, c := range n.children {
		if err := c.write(w, g, v); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) writeFile(w io.WriterAt, g geometry) error {
	if n.file.Size == 0 {
		return nil
	}
	content, err := n.file.Open()
	if err != nil {
		return err
	}
	defer content.Close()
	copied, err := io.Copy(io.NewOffsetWriter(w, g.offset(n.first)), io.LimitReader(content, n.file.Size))
	if err == nil && copied != n.file.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", n.file.Path, err)
	}
	return nil
}

// entries gives the content of a directory.
func (n *node) entries(v Volume) []byte {
	var out []byte
	if n.parent == nil {
		if n.label {
			out = append(out, entry([11]byte([]byte(padded(v.Label, 11))), attributeVolume, 0, 0, v.Time)...)
		}
	} else {
		up := n.parent.first
		if n.parent.parent == nil {
			up = 0 // the root is called so
		}
		out = append(out, entry([11]byte([]byte(padded(".", 11))), attributeDirectory, n.first, 0, v.Time)...)
		out = append(out, entry([11]byte([]byte(padded("..", 11))), attributeDirectory, up, 0, v.Time)...)
	}
	for _, c := range n.children {
		out = append(out, c.longName()...)
		if c.file != nil {
			out = append(out, entry(c.short, attributeArchive, c.first, uint32(c.file.Size), v.Time)...)
		} else {
			out = append(out, entry(c.short, attributeDirectory, c.first, 0, v.Time)...)
		}
	}
	return out
}

func entry(name [11]byte, attributes byte, first, size uint32, at time.Time) []byte {
	b := make([]byte, entrySize)
	le := binary.LittleEndian
	day, clock := dosTime(at)
	copy(b, name[:])
	b[11] = attributes
	le.PutUint16(b[14:], clock) // made
	le.PutUint16(b[16:], day)
	le.PutUint16(b[18:], day) // read
	le.PutUint16(b[20:], uint16(first>>16))
	le.PutUint16(b[22:], clock) // written
	le.PutUint16(b[24:], day)
	le.PutUint16(b[26:], uint16(first))
	le.PutUint32(b[28:], size)
	return b
}

// dosTime gives date and time of day as FAT has them: from 1980, two seconds
// being the smallest difference.
func dosTime(at time.Time) (day, clock uint16) {
	at = at.UTC()
	if at.Year() < 1980 || at.Year() > 2107 {
		at = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	day = uint16((at.Year()-1980)<<9 | int(at.Month())<<5 | at.Day())
	clock = uint16(at.Hour()<<11 | at.Minute()<<5 | at.Second()/2)
	return day, clock
}
