package vm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// magic begins each qcow2 image.
var magic = []byte("QFI\xfb")

// The formats of what an overlay lies over.
const (
	raw   = "raw"
	qcow2 = "qcow2"
)

// writeOverlay makes an empty qcow2 image over an image of a format, as
// "qemu-img create -f qcow2 -b BASE -F FORMAT" does. The format is QEMU's
// docs/interop/qcow2.txt, version 3. An overlay and not "snapshot=on",
// because what a guest wrote must survive QEMU: a machine is crashed and
// booted again.
func writeOverlay(path, base, format string) error {
	base, err := filepath.Abs(base)
	if err != nil {
		return err
	}
	info, err := os.Stat(base)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a disk image", base)
	}
	size := uint64(info.Size())
	if format == qcow2 {
		if size, err = virtualSize(base); err != nil {
			return err
		}
	}
	return writeEmpty(path, base, format, size)
}

// writeLayer makes an empty qcow2 image over a disk of so many bytes that QEMU is told of
// when it opens it.
func writeLayer(path string, size int64) error { return writeEmpty(path, "", raw, uint64(size)) }

func writeEmpty(path, base, format string, size uint64) error {
	const (
		clusterBits = 16
		cluster     = 1 << clusterBits
		l2Covers    = cluster / 8 * cluster // bytes of disk per entry of the L1 table
		l1Max       = cluster / 8
		extensions  = 104 // where the header of version 3 ends
	)
	// QEMU counts in sectors, and so must the overlay.
	size = (size + 511) &^ 511
	l1 := (size + l2Covers - 1) / l2Covers
	name := extensions + 8 + 8 + 8 // after the backing format, padded, and the end mark
	switch {
	case size == 0:
		return fmt.Errorf("%s: not a disk image", base)
	case l1 > l1Max:
		return fmt.Errorf("%s: an image of %d bytes is too large", base, size)
	case len(base) > 1023:
		return fmt.Errorf("%s: QEMU takes paths of at most 1023 bytes", base)
	}
	// One cluster each: header, refcount table, refcount block, L1 table.
	image := make([]byte, 4*cluster)
	be := binary.BigEndian
	copy(image, magic)
	be.PutUint32(image[4:], 3)
	if base != "" {
		be.PutUint64(image[8:], uint64(name))
		be.PutUint32(image[16:], uint32(len(base)))
	}
	be.PutUint32(image[20:], clusterBits)
	be.PutUint64(image[24:], size)
	be.PutUint32(image[36:], uint32(l1))
	be.PutUint64(image[40:], 3*cluster) // L1 table
	be.PutUint64(image[48:], 1*cluster) // refcount table
	be.PutUint32(image[56:], 1)         // its clusters
	be.PutUint32(image[96:], 4)         // refcounts have 1<<4 bits
	be.PutUint32(image[100:], extensions)
	if base != "" {
		be.PutUint32(image[extensions:], 0xe2792aca) // backing format
		be.PutUint32(image[extensions+4:], uint32(len(format)))
		copy(image[extensions+8:], format)
		copy(image[name:], base)
	}
	be.PutUint64(image[1*cluster:], 2*cluster)
	for i := range 4 {
		be.PutUint16(image[2*cluster+2*i:], 1)
	}
	return os.WriteFile(path, image, 0o600)
}

// virtualSize reads how large the disk is that a qcow2 image stands for.
func virtualSize(path string) (uint64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	header := make([]byte, 32)
	if _, err := io.ReadFull(file, header); err != nil || !bytes.HasPrefix(header, magic) {
		return 0, fmt.Errorf("%s: not a qcow2 image", path)
	}
	return binary.BigEndian.Uint64(header[24:]), nil
}
