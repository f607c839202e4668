package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// The geometry of a qcow2 image (QEMU's docs/interop/qcow2.txt, version 3).
const (
	clusterBits = 16
	cluster     = 1 << clusterBits
	perTable    = cluster / 8 // entries of 8 bytes
	perRefcount = cluster / 2 // entries of 2 bytes

	// copied says that nobody else has the cluster: it may be written in place.
	copied = 1 << 63
)

// qcow2 is an image on its way: data clusters in the order of the disk, and
// behind them the tables that say where each is.
type qcow2 struct {
	out  *os.File
	next uint64 // the next free cluster
	l1   []uint64
	l2   map[uint64][]uint64 // by place in l1
}

// writeQcow2 writes what a raw image has as a qcow2 image. Clusters of zeros take
// no space, and neither do holes, which are not even read.
func writeQcow2(raw, out *os.File, size int64) error {
	clusters := (uint64(size) + cluster - 1) / cluster
	l1 := (clusters + perTable - 1) / perTable
	if l1 > perTable {
		return fmt.Errorf("an image of %d GB is too large for the format qcow2", size/1e9)
	}
	// First comes the header, then the table of tables.
	q := &qcow2{out: out, next: 2, l1: make([]uint64, l1), l2: map[uint64][]uint64{}}
	if err := q.copyData(raw, size); err != nil {
		return err
	}
	for i := range q.l1 {
		table, ok := q.l2[uint64(i)]
		if !ok {
			continue
		}
		at, err := q.append(bigEndian64(table))
		if err != nil {
			return err
		}
		q.l1[i] = at | copied
	}
	if _, err := out.WriteAt(bigEndian64(q.l1), cluster); err != nil {
		return err
	}
	refcounts, tableClusters, err := q.writeRefcounts()
	if err != nil {
		return err
	}
	header := q.header(uint64(size), refcounts, tableClusters)
	if _, err := out.WriteAt(header, 0); err != nil {
		return err
	}
	return out.Truncate(int64(q.next) * cluster)
}

// copyData copies every cluster that has something else than zeros.
func (q *qcow2) copyData(raw *os.File, size int64) error {
	buffer := make([]byte, cluster)
	for at := int64(0); at < size; {
		data, err := unix.Seek(int(raw.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return fmt.Errorf("look for holes: %w", err)
		}
		hole, err := unix.Seek(int(raw.Fd()), data, unix.SEEK_HOLE)
		if err != nil {
			return fmt.Errorf("look for holes: %w", err)
		}
		for at = data &^ (cluster - 1); at < hole; at += cluster {
			n, err := raw.ReadAt(buffer, at)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if allZero(buffer[:n]) {
				continue
			}
			clear(buffer[n:])
			where, err := q.append(buffer)
			if err != nil {
				return err
			}
			number := uint64(at) / cluster
			table := q.l2[number/perTable]
			if table == nil {
				table = make([]uint64, perTable)
				q.l2[number/perTable] = table
			}
			table[number%perTable] = where | copied
		}
	}
	return nil
}

// append writes whole clusters and gives their place.
func (q *qcow2) append(data []byte) (uint64, error) {
	at := q.next * cluster
	_, err := q.out.WriteAt(data, int64(at))
	q.next += uint64(len(data)+cluster-1) / cluster
	return at, err
}

// writeRefcounts writes that every cluster is used once, those of the refcounts
// too.
func (q *qcow2) writeRefcounts() (table, tableClusters uint64, err error) {
	var blocks, total uint64
	for {
		tableClusters = (blocks*8 + cluster - 1) / cluster
		total = q.next + blocks + tableClusters
		if need := (total + perRefcount - 1) / perRefcount; need > blocks {
			blocks = need
			continue
		}
		break
	}
	var places []uint64
	for b := range blocks {
		block := make([]byte, cluster)
		for i := range min(perRefcount, total-b*perRefcount) {
			binary.BigEndian.PutUint16(block[2*i:], 1)
		}
		at, err := q.append(block)
		if err != nil {
			return 0, 0, err
		}
		places = append(places, at)
	}
	table, err = q.append(bigEndian64(places))
	return table, tableClusters, err
}

func (q *qcow2) header(size, refcounts, refcountClusters uint64) []byte {
	const length = 104
	h := make([]byte, cluster)
	be := binary.BigEndian
	be.PutUint32(h[0:], 0x514649fb) // "QFI\xfb"
	be.PutUint32(h[4:], 3)
	be.PutUint32(h[20:], clusterBits)
	be.PutUint64(h[24:], size)
	be.PutUint32(h[36:], uint32(len(q.l1)))
	be.PutUint64(h[40:], cluster) // of the table of tables
	be.PutUint64(h[48:], refcounts)
	be.PutUint32(h[56:], uint32(refcountClusters))
	be.PutUint32(h[96:], 4) // refcounts have 1<<4 bits
	be.PutUint32(h[100:], length)
	return h
}

// bigEndian64 writes numbers, filled up to a cluster.
func bigEndian64(numbers []uint64) []byte {
	out := make([]byte, (len(numbers)*8+cluster-1)/cluster*cluster)
	for i, n := range numbers {
		binary.BigEndian.PutUint64(out[8*i:], n)
	}
	return out
}

func allZero(p []byte) bool {
	for len(p) >= 8 {
		if binary.LittleEndian.Uint64(p) != 0 {
			return false
		}
		p = p[8:]
	}
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
