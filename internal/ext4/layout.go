package ext4

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/bits"
	"path"
	"slices"
	"strings"
	"time"
)

// Volume is what a file system is made of. All of it belongs to root.
type Volume struct {
	Size     int64 // of the disk, in bytes
	Label    string
	UUID     [16]byte
	HashSeed [16]byte  // of directories that become large
	Time     time.Time // of everything
	Files    []File    // in any order
}

// File is a directory, a regular file or a symlink. The directories above it need not
// be named; those are for everybody to read.
type File struct {
	Path string      // from the root, without a slash at its beginning or end
	Mode fs.FileMode // type and permissions

	Size    int64       // in bytes, of a regular file
	Content io.ReaderAt // has them, or is nil where the file is empty
	Sealed  *Metadata   // of a file with fs-verity

	Target string // of a symlink
}

// Metadata is what lies behind the content of a sealed file (fs/ext4/verity.c).
type Metadata struct {
	Offset, Size int64 // in bytes; the first is counted from the file's beginning
	Content      io.ReaderAt
}

// New lays a file system out. It reads no content.
func New(v Volume) (*Image, error) {
	l := layout{Volume: v, top: &node{File: File{Mode: fs.ModeDir | 0o755}, number: rootInode}}
	if err := l.plant(); err != nil {
		return nil, err
	}
	if err := l.divide(); err != nil {
		return nil, err
	}
	if err := l.fill(); err != nil {
		return nil, err
	}
	l.head()
	slices.SortFunc(l.pieces, func(a, b piece) int { return int((a.at - b.at) / blockSize) })
	return &Image{v.Size, l.pieces}, nil
}

// layout is a file system in the making.
type layout struct {
	Volume
	top *node
	all []*node // by number, from the first that is not reserved

	blocks, groups, perGroup int // perGroup: inodes
	bitmaps, table, next     int // blocks: the first of bitmaps and of inodes, and the first that is free

	inodes      []byte
	directories []int // by group
	journal     inode
	pieces      []piece
}

// node is a file with its place in the tree.
type node struct {
	File
	name     string
	given    bool // and not only the directory of others
	number   uint32
	above    *node
	children []*node
}

// plant makes a tree of the files, and numbers it.
func (l *layout) plant() error {
	known := map[string]*node{"": l.top}
	var at func(name string) *node
	at = func(name string) *node {
		if n, ok := known[name]; ok {
			return n
		}
		dir, base := path.Split(name)
		n := &node{File: File{Path: name, Mode: fs.ModeDir | 0o755}, name: base}
		n.above = at(strings.TrimSuffix(dir, "/"))
		n.above.children = append(n.above.children, n)
		known[name] = n
		return n
	}
	lost := at("lost+found")
	lost.Mode, lost.given = fs.ModeDir|0o700, true
	for _, f := range l.Files {
		if !fs.ValidPath(f.Path) || f.Path == "." || len(path.Base(f.Path)) > 255 {
			return fmt.Errorf("%q cannot be a file's path", f.Path)
		}
		n := at(f.Path)
		if n.given {
			return fmt.Errorf("%s is there twice", f.Path)
		}
		n.File, n.given = f, true
	}
	for _, n := range known {
		if len(n.children) > 0 && !n.Mode.IsDir() {
			return fmt.Errorf("%s has files below it, and is no directory", n.Path)
		}
	}
	l.number(lost)
	l.numberBelow(l.top)
	return nil
}

// number gives a file the next inode.
func (l *layout) number(n *node) {
	n.number = uint32(lostAndFound + len(l.all))
	l.all = append(l.all, n)
}

func (l *layout) numberBelow(dir *node) {
	slices.SortFunc(dir.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for _, n := range dir.children {
		if n.number == 0 {
			l.number(n)
		}
	}
	for _, n := range dir.children {
		l.numberBelow(n)
	}
}

// leastInodes is how many a group has at least: as many as mke2fs(8) gives it where there
// is one for 16 KiB.
const leastInodes = 8192

// divide says where things are: first all that describes, then the journal, then what
// files have, one after the other. So what is used is the beginning of the disk, and of
// the inodes.
func (l *layout) divide() error {
	l.blocks = int(l.Size / blockSize)
	l.groups = (l.blocks + blocksPerGroup - 1) / blocksPerGroup
	if l.blocks > 1<<31 || l.groups == 0 {
		return fmt.Errorf("%d bytes are no size for a file system", l.Size)
	}
	last := lostAndFound + len(l.all) - 1
	l.perGroup = max(leastInodes, (last/l.groups/inodesPerBlock+1)*inodesPerBlock)
	if l.perGroup > blocksPerGroup {
		return fmt.Errorf("%d files are too many for a file system of %d bytes", len(l.all), l.Size)
	}
	l.bitmaps = 1 + (l.groups*descriptorSize+blockSize-1)/blockSize
	l.table = l.bitmaps + 2*l.groups
	l.next = l.table + l.groups*l.perGroup/inodesPerBlock
	l.inodes = make([]byte, last*inodeSize)
	l.directories = make([]int, l.groups)
	return nil
}

// errFull is a file system that is too small for its files.
var errFull = errors.New("no space is left in the file system")

// take gives the first of so many blocks.
func (l *layout) take(blocks int) (int, error) {
	first := l.next
	if l.next += blocks; l.next > l.blocks {
		return 0, errFull
	}
	return first, nil
}

// put says who has the bytes of blocks.
func (l *layout) put(block int, size int64, content io.ReaderAt) {
	l.pieces = append(l.pieces, piece{int64(block) * blockSize, size, content})
}

func blocksOf(size int64) int { return int((size + blockSize - 1) / blockSize) }

// fill gives each file its blocks, and its inode.
func (l *layout) fill() error {
	if err := l.makeJournal(); err != nil {
		return err
	}
	for _, n := range append([]*node{l.top}, l.all...) {
		i, err := l.inodeOf(n)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Path, err)
		}
		l.set(n.number, i)
	}
	return nil
}

func (l *layout) set(number uint32, i inode) {
	at := uint32(l.Time.Unix())
	i.AccessTime, i.ChangeTime, i.ModTime, i.MadeTime = at, at, at, at
	i.ExtraSize = extraSize
	copy(l.inodes[(number-1)*inodeSize:], encode(binary.LittleEndian, i))
}

// Types of files in the mode of an inode.
const (
	modeDirectory = 0o040000
	modeFile      = 0o100000
	modeSymlink   = 0o120000
)

func (l *layout) inodeOf(n *node) (i inode, err error) {
	i = inode{Mode: uint16(n.Mode.Perm()), Links: 1}
	for bit, mode := range map[fs.FileMode]uint16{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if n.Mode&bit != 0 {
			i.Mode |= mode
		}
	}
	switch n.Mode.Type() {
	case fs.ModeDir:
		i.Mode |= modeDirectory
		return i, l.directory(n, &i)
	case fs.ModeSymlink:
		i.Mode |= modeSymlink
		if len(n.Target) >= blockSize || n.Target == "" {
			return i, errors.New("no target of a symlink")
		}
		i.Size = uint32(len(n.Target))
		if len(n.Target) < len(i.Block) {
			copy(i.Block[:], n.Target)
			return i, nil
		}
		return i, l.content(&i, run{0, int64(len(n.Target)), strings.NewReader(n.Target)})
	case 0:
		i.Mode |= modeFile
		i.Size, i.SizeHigh = uint32(n.Size), uint32(n.Size>>32)
		runs := []run{{0, n.Size, n.Content}}
		if n.Sealed != nil {
			i.Flags |= isSealed
			runs = append(runs, run{n.Sealed.Offset, n.Sealed.Size, n.Sealed.Content})
		}
		return i, l.content(&i, runs...)
	}
	return i, fmt.Errorf("%s is nothing that a disk of Stet's has", n.Mode.Type())
}

// directory writes the entries of a directory, which do not cross blocks.
func (l *layout) directory(n *node, i *inode) error {
	i.Links = 2
	above := n.above
	if above == nil {
		above = n
	}
	var text []byte
	last := 0 // where the entry begins that reaches to the end of its block
	add := func(number uint32, kind byte, name string) {
		size := 8 + (len(name)+3)/4*4
		if len(text)/blockSize != (len(text)+size-1)/blockSize {
			end := (len(text) + blockSize - 1) / blockSize * blockSize
			binary.LittleEndian.PutUint16(text[last+4:], uint16(end-last))
			text = append(text, make([]byte, end-len(text))...)
		}
		last = len(text)
		text = binary.LittleEndian.AppendUint32(text, number)
		text = binary.LittleEndian.AppendUint16(text, uint16(size))
		text = append(text, byte(len(name)), kind)
		text = append(text, name...)
		text = append(text, make([]byte, size-8-len(name))...)
	}
	add(n.number, entryDirectory, ".")
	add(above.number, entryDirectory, "..")
	for _, child := range n.children {
		kind := byte(entryFile)
		switch child.Mode.Type() {
		case fs.ModeDir:
			kind = entryDirectory
			i.Links++
		case fs.ModeSymlink:
			kind = entrySymlink
		}
		add(child.number, kind, child.name)
	}
	end := blocksOf(int64(len(text))) * blockSize
	binary.LittleEndian.PutUint16(text[last+4:], uint16(end-last))
	i.Size = uint32(end)
	l.directories[int(n.number-1)/l.perGroup]++
	return l.content(i, run{0, int64(end), bytes.NewReader(append(text, make([]byte, end-len(text))...))})
}

// run is a range of a file.
type run struct {
	offset, size int64 // bytes; the first begins a block
	content      io.ReaderAt
}

// content gives runs their blocks, and an inode the extents that say where they are.
func (l *layout) content(i *inode, runs ...run) error {
	var all []byte
	count, blocks := 0, 0
	for _, r := range runs {
		left := blocksOf(r.size)
		if left == 0 {
			continue
		}
		first, err := l.take(left)
		if err != nil {
			return err
		}
		l.put(first, r.size, r.content)
		blocks += left
		for at := int(r.offset / blockSize); left > 0; count++ {
			n := min(left, longest)
			all = binary.LittleEndian.AppendUint32(all, uint32(at))
			all = binary.LittleEndian.AppendUint16(all, uint16(n))
			all = binary.LittleEndian.AppendUint16(all, 0) // the high half of the next
			all = binary.LittleEndian.AppendUint32(all, uint32(first))
			at, first, left = at+n, first+n, left-n
		}
	}
	i.Flags |= hasExtents
	if count <= inInode {
		copy(i.Block[:], append(extentNode(count, inInode, 0), all...))
	} else {
		if count > inBlock {
			return errors.New("it is too large")
		}
		leaf, err := l.take(1)
		if err != nil {
			return err
		}
		blocks++
		l.put(leaf, blockSize, padded(append(extentNode(count, inBlock, 0), all...)))
		root := extentNode(1, inInode, 1)
		root = binary.LittleEndian.AppendUint32(root, 0) // the first block of the file
		root = binary.LittleEndian.AppendUint32(root, uint32(leaf))
		copy(i.Block[:], root)
	}
	i.Sectors = uint32(blocks * (blockSize / 512))
	return nil
}

func extentNode(count, room, depth int) []byte {
	var out []byte
	for _, n := range []int{extentMagic, count, room, depth, 0, 0} {
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
	}
	return out
}

// padded is a block that begins with bytes.
func padded(text []byte) io.ReaderAt {
	return bytes.NewReader(append(text, make([]byte, -len(text)&(blockSize-1))...))
}

func (l *layout) makeJournal() error {
	first := l.next
	header := encode(binary.BigEndian, journalHeader{
		Magic: journalMagic, Type: journalType, BlockSize: blockSize, Blocks: journalBlocks, First: 1, NextSequence: 1, UUID: l.UUID, Users: 1,
	})
	l.journal = inode{Mode: modeFile | 0o600, Links: 1, Size: journalBlocks * blockSize}
	if err := l.content(&l.journal, run{0, journalBlocks * blockSize, zeros{}}); err != nil {
		return fmt.Errorf("the journal: %w", err)
	}
	l.pieces[len(l.pieces)-1] = piece{int64(first) * blockSize, blockSize, padded(header)}
	l.set(journalInode, l.journal)
	return nil
}

// zeros is as long as one likes.
type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// head writes what describes the file system.
func (l *layout) head() {
	used := lostAndFound + len(l.all) - 1
	var descriptors, blocks, inodes []byte
	for g := range l.groups {
		free := blocksPerGroup - usedIn(g, blocksPerGroup, l.next)
		if g == l.groups-1 {
			free -= l.groups*blocksPerGroup - l.blocks
		}
		descriptors = append(descriptors, encode(binary.LittleEndian, groupDescriptor{
			BlockBitmap: uint32(l.bitmaps + g), InodeBitmap: uint32(l.bitmaps + l.groups + g), InodeTable: uint32(l.table + g*l.perGroup/inodesPerBlock),
			FreeBlocks: uint16(free), FreeInodes: uint16(l.perGroup - usedIn(g, l.perGroup, used)), Directories: uint16(l.directories[g]),
		})...)
		end := min(blocksPerGroup, l.blocks-g*blocksPerGroup)
		blocks = append(blocks, bitmap(usedIn(g, blocksPerGroup, l.next), end)...)
		inodes = append(inodes, bitmap(usedIn(g, l.perGroup, used), l.perGroup)...)
	}
	l.put(l.bitmaps, int64(len(blocks)), bytes.NewReader(blocks))
	l.put(l.bitmaps+l.groups, int64(len(inodes)), bytes.NewReader(inodes))
	l.put(l.table, int64(len(l.inodes)), bytes.NewReader(l.inodes))

	at := uint32(l.Time.Unix())
	super := superblock{
		InodesCount: uint32(l.groups * l.perGroup), BlocksCount: uint32(l.blocks), FreeBlocks: uint32(l.blocks - l.next), FreeInodes: uint32(l.groups*l.perGroup - used),
		LogBlockSize: 2, LogClusterSize: 2, BlocksPerGroup: blocksPerGroup, ClustersPerGroup: blocksPerGroup, InodesPerGroup: uint32(l.perGroup),
		WriteTime: at, LastCheck: at, MadeTime: at, MaxMountCount: neverCheck, Magic: superMagic, State: isClean, Errors: goOnWithErrors, Revision: dynamic,
		FirstInode: lostAndFound, InodeSize: inodeSize,
		Compatible: hasJournal | extAttr | sparseSuper2, Incompatible: fileType | extents | flexBG, ReadOnlyCompatible: largeFile | hugeFile | extraIsize | verity,
		UUID: l.UUID, JournalInode: journalInode, HashSeed: l.HashSeed, HashVersion: halfMD4, JournalBackup: journalIsThere,
		MountOptions: xattrsAndACLs, MinExtraSize: extraSize, WantExtraSize: extraSize, Flags: signedHash,
		LogGroupsPerFlex: uint8(bits.Len(uint(l.groups - 1))),
	}
	copy(super.Label[:], l.Label)
	_, _ = binary.Decode(l.journal.Block[:], binary.LittleEndian, super.JournalBlocks[:15])
	super.JournalBlocks[16] = l.journal.Size
	first := append(make([]byte, 1024), encode(binary.LittleEndian, super)...)
	first = append(first, make([]byte, blockSize-len(first))...)
	first = append(first, descriptors...)
	l.put(0, int64(len(first)), bytes.NewReader(first))
}

// usedIn tells how many of a group's things are used, where the first of all are.
func usedIn(group, size, used int) int { return min(max(used-group*size, 0), size) }

// bitmap has the first bits set, and those that stand for nothing.
func bitmap(used, end int) []byte {
	out := make([]byte, blockSize)
	for bit := range blocksPerGroup {
		if bit < used || bit >= end {
			out[bit/8] |= 1 << (bit % 8)
		}
	}
	return out
}
