package ext4

import (
	"bytes"
	"encoding/binary"
)

const (
	blockSize      = 4096
	blocksPerGroup = 8 * blockSize // as many as a block of a bitmap has bits
	inodeSize      = 256
	inodesPerBlock = blockSize / inodeSize
	descriptorSize = 32
)

// The inodes whose numbers are given.
const (
	rootInode    = 2
	journalInode = 8
	lostAndFound = 11 // the first that is not reserved
)

// Features of a file system, of those that older kernels may ignore, may not ignore,
// and may read by.
const (
	hasJournal   = 0x4
	extAttr      = 0x8
	sparseSuper2 = 0x200 // copies of the superblock are where it says: nowhere

	fileType = 0x2
	extents  = 0x40
	flexBG   = 0x200 // bitmaps and inodes of a group may be in another

	largeFile  = 0x2
	hugeFile   = 0x8
	extraIsize = 0x40
	verity     = 0x8000
)

// superblock is the struct ext4_super_block, as far as anything in it is said.
type superblock struct {
	InodesCount, BlocksCount, ReservedBlocks, FreeBlocks uint32
	FreeInodes, FirstDataBlock                           uint32
	LogBlockSize, LogClusterSize                         uint32 // above 1024
	BlocksPerGroup, ClustersPerGroup, InodesPerGroup     uint32
	MountTime, WriteTime                                 uint32
	MountCount, MaxMountCount                            uint16
	Magic, State, Errors, MinorRevision                  uint16
	LastCheck, CheckInterval, CreatorOS, Revision        uint32
	ReservedUID, ReservedGID                             uint16
	FirstInode                                           uint32
	InodeSize, GroupNumber                               uint16
	Compatible, Incompatible, ReadOnlyCompatible         uint32
	UUID                                                 [16]byte
	Label                                                [16]byte
	LastMounted                                          [64]byte
	Algorithm                                            uint32
	Preallocate                                          [2]byte
	ReservedDescriptors                                  uint16
	JournalUUID                                          [16]byte
	JournalInode, JournalDevice, LastOrphan              uint32
	HashSeed                                             [16]byte
	HashVersion, JournalBackup                           uint8
	DescriptorSize                                       uint16
	MountOptions, FirstMetaGroup, MadeTime               uint32
	JournalBlocks                                        [17]uint32 // a copy of the journal's inode
	BlocksCountHigh, ReservedHigh, FreeBlocksHigh        uint32
	MinExtraSize, WantExtraSize                          uint16
	Flags                                                uint32
	RAIDStride, ProtectInterval                          uint16
	ProtectBlock                                         uint64
	RAIDWidth                                            uint32
	LogGroupsPerFlex, ChecksumType                       uint8
}

// The values that never differ.
const (
	superMagic     = 0xef53
	isClean        = 1
	goOnWithErrors = 1
	dynamic        = 1 // revision: inodes have the size that is said
	neverCheck     = 0xffff
	halfMD4        = 1
	journalIsThere = 1 // in JournalBlocks
	xattrsAndACLs  = 0xc
	signedHash     = 1
	extraSize      = 32 // of an inode, beyond the first 128 bytes
)

// groupDescriptor is the struct ext4_group_desc of a file system of less than 2^32
// blocks.
type groupDescriptor struct {
	BlockBitmap, InodeBitmap, InodeTable uint32
	FreeBlocks, FreeInodes, Directories  uint16
	Flags                                uint16
	Exclude                              uint32
	BlockChecksum, InodeChecksum         uint16
	Unused, Checksum                     uint16
}

// inode is the struct ext4_inode.
type inode struct {
	Mode, UID                                uint16
	Size                                     uint32
	AccessTime, ChangeTime, ModTime, DelTime uint32
	GID, Links                               uint16
	Sectors, Flags, Version                  uint32 // sectors of 512 bytes
	Block                                    [60]byte
	Generation, ACL, SizeHigh, Fragment      uint32
	SectorsHigh, ACLHigh, UIDHigh, GIDHigh   uint16
	Checksum, Reserved                       uint16
	ExtraSize, ChecksumHigh                  uint16
	ChangeExtra, ModExtra, AccessExtra       uint32
	MadeTime, MadeExtra, VersionHigh         uint32
	Project                                  uint32
}

// Flags of an inode.
const (
	hasExtents = 0x80000
	isSealed   = 0x100000
)

// extentMagic begins each node of a tree of extents; all sizes are of 12 bytes.
const (
	extentMagic = 0xf30a
	inInode     = 4 // extents that an inode has room for
	inBlock     = (blockSize - 12) / 12
	longest     = 1 << 15 // blocks of an extent
)

// The types that an entry of a directory has.
const (
	entryFile      = 1
	entryDirectory = 2
	entrySymlink   = 7
)

// journalHeader is the struct journal_superblock_s of jbd2, in network order.
type journalHeader struct {
	Magic, Type, Sequence    uint32
	BlockSize, Blocks, First uint32
	NextSequence, Start      uint32
	Errors                   uint32
	Compatible, Incompatible uint32
	ReadOnlyCompatible       uint32
	UUID                     [16]byte
	Users                    uint32
	_                        [3]uint32
	_                        [4]byte
	_                        [42]uint32
	Checksum                 uint32
}

const (
	journalMagic  = 0xc03b3998
	journalType   = 4 // a superblock of version 2
	journalBlocks = 4096
)

// encode gives a structure's bytes.
func encode(order binary.ByteOrder, value any) []byte {
	var out bytes.Buffer
	_ = binary.Write(&out, order, value) // to memory, of fixed size
	return out.Bytes()
}
