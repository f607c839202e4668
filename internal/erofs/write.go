package erofs

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"strings"

	"stet/internal/tree"
)

// inode is an entry of the tree on its way into the image.
type inode struct {
	entry    *tree.Entry
	parent   *inode
	children []*inode // of a directory, sorted by name

	xattrs int // bytes of attributes, which are made when they are written
	size   int64
	blocks int    // whole blocks of content in the data area
	inline int    // bytes of content behind the inode
	start  uint32 // first block in the data area
	offset int64  // of the inode in the image
	layout uint16
}

// nid is the number by which directories refer to the inode.
func (n *inode) nid() uint64 { return uint64(n.offset / slotSize) }

// Write writes the image of a tree. It fails for attributes that cannot be
// kept: those of an overlay, which would change what the image means.
func Write(w io.Writer, t *tree.Tree) error {
	inodes, err := collect(t)
	if err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	metaEnd := place(inodes)
	dataStart := (metaEnd + blockSize - 1) / blockSize
	blocks := dataStart
	for _, n := range inodes {
		n.start = uint32(blocks)
		blocks += int64(n.blocks)
	}
	out := &counter{w: bufio.NewWriterSize(w, 1<<18)}
	out.zeros(superOffset)
	out.write(superblock(inodes, blocks))
	for number, n := range inodes {
		out.zeros(n.offset - out.at)
		out.write(n.encode(uint32(number + 1)))
	}
	out.zeros(dataStart*blockSize - out.at)
	for _, n := range inodes {
		if n.blocks > 0 {
			content := n.content()
			out.write(content[:len(content)-n.inline])
			out.zeros(int64(n.blocks)*blockSize - int64(len(content)-n.inline))
		}
	}
	if err := out.finish(); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}

// collect gives the inodes in breadth-first order, so that the root has a
// small number and a directory's children stand together.
func collect(t *tree.Tree) ([]*inode, error) {
	directories := map[string]*inode{}
	all := make([]inode, t.Len())
	var root *inode
	for e := range t.All() {
		n := &all[0]
		n.entry, all = e, all[1:]
		if e.Type == tree.Directory {
			directories[e.Path] = n
		}
		if e.Path == "/" {
			root, n.parent = n, n
			continue
		}
		n.parent = directories[path.Dir(e.Path)]
		n.parent.children = append(n.parent.children, n)
	}
	if root == nil {
		return nil, fmt.Errorf("the tree has no root")
	}
	inodes := append(make([]*inode, 0, t.Len()), root)
	for i := 0; i < len(inodes); i++ {
		sortByName(inodes[i].children)
		inodes = append(inodes, inodes[i].children...)
	}
	var buffer []byte
	for _, n := range inodes {
		var err error
		if buffer, err = n.appendXattrs(buffer[:0]); err != nil {
			return nil, fmt.Errorf("%s: %w", n.entry.Path, err)
		}
		n.xattrs = len(buffer)
		n.measure()
	}
	return inodes, nil
}

// appendXattrs appends the attributes of an inode as they are in the image.
func (n *inode) appendXattrs(area []byte) ([]byte, error) {
	attributes := n.entry.Xattrs
	for _, x := range attributes {
		if strings.HasPrefix(x.Key, "trusted.overlay.") {
			return area, fmt.Errorf("extended attribute %s belongs to the overlay and cannot be in a tree", x.Key)
		}
	}
	if n.entry.Size > 0 {
		attributes = append(overlayXattrs(n.entry), attributes...)
	}
	return appendXattrs(area, attributes)
}

// measure decides how the content of an inode is kept.
func (n *inode) measure() {
	switch n.entry.Type {
	case tree.Regular:
		if n.size = n.entry.Size; n.size > 0 {
			n.layout = layoutChunkBased
		}
		return
	case tree.Directory, tree.Symlink:
		n.size = int64(len(n.content()))
	}
	n.inline = int(n.size % blockSize)
	n.blocks = int(n.size / blockSize)
	if n.inline > 0 && inodeSize+n.xattrs+n.inline > blockSize {
		n.inline, n.blocks = 0, n.blocks+1
	}
	if n.inline > 0 {
		n.layout = layoutFlatInline
	}
}

// place gives every inode its offset and tells where the last one ends.
func place(inodes []*inode) int64 {
	at := int64(superOffset + superSize)
	for _, n := range inodes {
		at = (at + slotSize - 1) / slotSize * slotSize
		head := int64(inodeSize + n.xattrs)
		if n.inline > 0 {
			// What is inline must not cross a block.
			begin := (at + head) % blockSize
			if begin+int64(n.inline) > blockSize {
				at = (at/blockSize + 1) * blockSize
			}
		}
		n.offset = at
		at += head + int64(n.inline)
		if n.layout == layoutChunkBased {
			at += 4
		}
	}
	return at
}

// encode gives the inode, its attributes and what is inline.
func (n *inode) encode(number uint32) []byte {
	e := n.entry
	out := make([]byte, inodeSize, inodeSize+n.xattrs+n.inline+4)
	le.PutUint16(out[0:], 1|n.layout<<1) // bit 0: extended
	if n.xattrs > 0 {
		le.PutUint16(out[2:], uint16((n.xattrs-xattrHeaderSize)/4+1))
	}
	le.PutUint16(out[4:], fileTypes[e.Type].mode|uint16(e.Mode))
	le.PutUint64(out[8:], uint64(n.size))
	switch {
	case e.Type == tree.CharDevice || e.Type == tree.BlockDevice:
		le.PutUint32(out[16:], uint32(e.Rdev))
	case n.layout == layoutChunkBased:
		le.PutUint32(out[16:], chunkBitsMax)
	case n.blocks > 0:
		le.PutUint32(out[16:], n.start)
	}
	le.PutUint32(out[20:], number)
	le.PutUint32(out[24:], e.UID)
	le.PutUint32(out[28:], e.GID)
	le.PutUint64(out[32:], uint64(e.Mtime.Sec))
	le.PutUint32(out[40:], e.Mtime.Nsec)
	le.PutUint32(out[44:], n.links())
	out, _ = n.appendXattrs(out) // what could be wrong was found when it was measured
	if n.layout == layoutChunkBased {
		return le.AppendUint32(out, nullBlock)
	}
	if n.inline > 0 {
		content := n.content()
		out = append(out, content[len(content)-n.inline:]...)
	}
	return out
}

func (n *inode) links() uint32 {
	if n.entry.Type != tree.Directory {
		return 1
	}
	links := uint32(2)
	for _, child := range n.children {
		if child.entry.Type == tree.Directory {
			links++
		}
	}
	return links
}

// content gives what a symlink or a directory holds. Before the inodes are
// placed its numbers are wrong, but its length is right.
func (n *inode) content() []byte {
	switch n.entry.Type {
	case tree.Symlink:
		return []byte(n.entry.Target)
	case tree.Directory:
		return n.directory()
	}
	return nil
}

func superblock(inodes []*inode, blocks int64) []byte {
	s := make([]byte, superSize)
	le.PutUint32(s[0:], superMagic)
	le.PutUint32(s[8:], compatMtime)
	s[12] = blockBits
	le.PutUint16(s[14:], uint16(inodes[0].nid()))
	le.PutUint64(s[16:], uint64(len(inodes)))
	le.PutUint32(s[36:], uint32(blocks))
	le.PutUint32(s[80:], incompatChunkedFile)
	return s
}

// counter writes and knows where it is; the first error stays.
type counter struct {
	w   *bufio.Writer
	at  int64
	err error
}

func (c *counter) write(p []byte) {
	if c.err == nil {
		_, c.err = c.w.Write(p)
		c.at += int64(len(p))
	}
}

var zeroBlock [blockSize]byte

func (c *counter) zeros(n int64) {
	for ; n > 0; n -= blockSize {
		c.write(zeroBlock[:min(n, blockSize)])
	}
}

func (c *counter) finish() error {
	if c.err != nil {
		return c.err
	}
	return c.w.Flush()
}
