package erofs

import (
	"encoding/binary"
	"fmt"
	"strings"

	"stet/internal/tree"
)

const (
	blockBits = 12
	blockSize = 1 << blockBits
	slotSize  = 32 // the unit of an inode number
	inodeSize = 64 // of an extended inode

	superOffset = 1024
	superSize   = 128
	superMagic  = 0xE0F5E1E2

	compatMtime         = 0x2
	incompatChunkedFile = 0x4

	layoutFlatPlain  = 0
	layoutFlatInline = 2
	layoutChunkBased = 4

	// chunkBitsMax makes every file one chunk of up to 8 TiB.
	chunkBitsMax = 31
	nullBlock    = 0xFFFFFFFF

	xattrHeaderSize = 12
	direntSize      = 12
)

var le = binary.LittleEndian

// fileTypes are the directory entry types and the bits of st_mode.
var fileTypes = map[tree.Type]struct {
	dirent uint8
	mode   uint16
}{
	tree.Regular:     {1, 0o100000},
	tree.Directory:   {2, 0o040000},
	tree.CharDevice:  {3, 0o020000},
	tree.BlockDevice: {4, 0o060000},
	tree.FIFO:        {5, 0o010000},
	tree.Symlink:     {7, 0o120000},
}

// xattrPrefixes are the prefixes the format abbreviates, longest first where
// one begins another.
var xattrPrefixes = []struct {
	prefix string
	index  uint8
}{
	{"user.", 1},
	{"system.posix_acl_access", 2},
	{"system.posix_acl_default", 3},
	{"trusted.", 4},
	{"security.", 6},
}

// appendXattrs appends the attribute area that follows an inode to what has a multiple
// of four bytes; nothing when there are no attributes.
func appendXattrs(area []byte, xattrs []tree.Xattr) ([]byte, error) {
	if len(xattrs) == 0 {
		return area, nil
	}
	area = append(area, make([]byte, xattrHeaderSize)...)
	for _, x := range xattrs {
		index, name, err := splitXattr(x.Key)
		if err != nil {
			return nil, err
		}
		if len(name) > 255 || len(x.Value) > 65535 {
			return nil, fmt.Errorf("extended attribute %q is too long", x.Key)
		}
		area = append(area, uint8(len(name)), index)
		area = le.AppendUint16(area, uint16(len(x.Value)))
		area = append(area, name...)
		area = append(area, x.Value...)
		for len(area)%4 != 0 {
			area = append(area, 0)
		}
	}
	return area, nil
}

func splitXattr(key string) (index uint8, name string, err error) {
	for _, p := range xattrPrefixes {
		if rest, ok := strings.CutPrefix(key, p.prefix); ok {
			return p.index, rest, nil
		}
	}
	return 0, "", fmt.Errorf("extended attribute %q has a prefix that EROFS does not know", key)
}

// overlayXattrs are what makes the kernel's overlay take a file's content from
// the store: where it is, and the digest it must have.
func overlayXattrs(e *tree.Entry) []tree.Xattr {
	name := e.Digest.String()
	// struct ovl_metacopy: version 0, length, no flags, FS_VERITY_HASH_ALG_SHA256.
	metacopy := append([]byte{0, uint8(4 + len(e.Digest)), 0, 1}, e.Digest[:]...)
	return []tree.Xattr{
		{Key: "trusted.overlay.metacopy", Value: metacopy},
		{Key: "trusted.overlay.redirect", Value: []byte("/" + name[:2] + "/" + name[2:])},
	}
}
