package fat

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	sectorSize      = 512
	fatCopies       = 2
	rootCluster     = 2          // clusters are counted from 2
	minClusters     = 65525      // with fewer it would be FAT16, whatever else it says
	maxCluster      = 0x0ffffff6 // the numbers above have other meanings
	endOfChain      = 0x0fffffff
	entrySize       = 32
	maxFile         = 1<<32 - 1
	infoSector      = 1
	backupSector    = 6
	reservedAtLeast = 32
)

// Volume is a file system to write.
type Volume struct {
	Size   int64     // bytes, whole sectors
	Label  string    // at most 11 upper-case characters
	Serial uint32    // what a person sees as XXXX-XXXX
	Time   time.Time // of everything, in UTC
	Files  []File
}

// File is a file of the volume. The directories of its path are made.
type File struct {
	Path string // slash-separated, from the root
	Size int64
	Open func() (io.ReadCloser, error)
}

// Content is the Open of a content in memory.
func Content(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(newReader(data)), nil }
}

// geometry is where everything is, in sectors and clusters.
type geometry struct {
	total      int64 // sectors
	perCluster int64 // sectors
	reserved   int64
	perFAT     int64
	clusters   int64
}

func (g geometry) clusterSize() int64 { return g.perCluster * sectorSize }

// offset is that of a cluster, in bytes.
func (g geometry) offset(cluster uint32) int64 {
	return (g.reserved + fatCopies*g.perFAT + int64(cluster-rootCluster)*g.perCluster) * sectorSize
}

// MinSize is the smallest volume: FAT32 is told from FAT16 by the number of its
// clusters.
const MinSize = 34 << 20

// layOut chooses clusters as large as 4096 bytes, if there are enough of them.
// The data begins at a multiple of 4096 bytes.
func layOut(size int64) (geometry, error) {
	for perCluster := int64(8); perCluster > 0; perCluster /= 2 {
		g := geometry{total: size / sectorSize, perCluster: perCluster}
		// One FAT entry of 4 bytes for each cluster, and for two that there are not.
		g.perFAT = ((g.total/perCluster+2)*4 + sectorSize - 1) / sectorSize
		g.reserved = reservedAtLeast
		if odd := (g.reserved + fatCopies*g.perFAT) % 8; odd != 0 {
			g.reserved += 8 - odd
		}
		g.clusters = (g.total - g.reserved - fatCopies*g.perFAT) / perCluster
		if g.clusters >= minClusters && g.clusters+rootCluster <= maxCluster {
			return g, nil
		}
	}
	return geometry{}, fmt.Errorf("a FAT32 file system cannot have %d MB", size/1e6)
}

// Write writes the volume at the beginning of w, which must read as zeros there:
// what nothing uses is not written.
func Write(w io.WriterAt, v Volume) error {
	g, err := layOut(v.Size)
	if err != nil {
		return err
	}
	root, err := arrange(v.Files)
	if err != nil {
		return err
	}
	next, err := root.allocate(g, rootCluster, v.Label)
	if err != nil {
		return err
	}
	if err := root.write(w, g, v); err != nil {
		return err
	}
	table := []uint32{0x0ffffff8, endOfChain}
	table = root.chain(table)
	if len(table) != int(next) {
		return errors.New("fat: clusters are not in one piece")
	}
	return g.writeSystem(w, v, table)
}

// writeSystem writes what is not content: boot sectors and FATs, each twice.
func (g geometry) writeSystem(w io.WriterAt, v Volume, table []uint32) error {
	fat := make([]byte, 4*len(table))
	for i, value := range table {
		binary.LittleEndian.PutUint32(fat[4*i:], value)
	}
	boot, info := g.bootSector(v), g.info(uint32(len(table)))
	for _, piece := range []struct {
		bytes  []byte
		sector int64
	}{
		{fat, g.reserved}, {fat, g.reserved + g.perFAT},
		{info, infoSector}, {info, backupSector + infoSector},
		{boot, backupSector}, {boot, 0},
	} {
		if _, err := w.WriteAt(piece.bytes, piece.sector*sectorSize); err != nil {
			return err
		}
	}
	return nil
}

func (g geometry) bootSector(v Volume) []byte {
	b := make([]byte, sectorSize)
	le := binary.LittleEndian
	copy(b[0:], []byte{0xeb, 0x58, 0x90}) // a jump over the parameters, to nothing
	copy(b[3:], "STET    ")
	le.PutUint16(b[11:], sectorSize)
	b[13] = byte(g.perCluster)
	le.PutUint16(b[14:], uint16(g.reserved))
	b[16] = fatCopies
	b[21] = 0xf8             // a disk that stays where it is
	le.PutUint16(b[24:], 63) // sectors and heads of a disk that has neither
	le.PutUint16(b[26:], 255)
	le.PutUint32(b[32:], uint32(g.total))
	le.PutUint32(b[36:], uint32(g.perFAT))
	le.PutUint32(b[44:], rootCluster)
	le.PutUint16(b[48:], infoSector)
	le.PutUint16(b[50:], backupSector)
	b[64] = 0x80
	b[66] = 0x29
	le.PutUint32(b[67:], v.Serial)
	copy(b[71:82], padded(v.Label, 11))
	copy(b[82:90], "FAT32   ")
	b[510], b[511] = 0x55, 0xaa
	return b
}

// info is the sector that says how many clusters are free, and where.
func (g geometry) info(next uint32) []byte {
	b := make([]byte, sectorSize)
	le := binary.LittleEndian
	le.PutUint32(b[0:], 0x41615252)
	le.PutUint32(b[484:], 0x61417272)
	le.PutUint32(b[488:], uint32(g.clusters+rootCluster)-next)
	le.PutUint32(b[492:], next)
	b[510], b[511] = 0x55, 0xaa
	return b
}
