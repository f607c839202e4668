package ext4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
)

// Image is a file system whose blocks are there when they are read.
type Image struct {
	size   int64
	pieces []piece // in order; what is between them is zeros
}

// piece is a range of a disk, and who has its bytes.
type piece struct {
	at, size int64
	content  io.ReaderAt
}

// Size is that of the disk, in bytes.
func (i *Image) Size() int64 { return i.size }

// Digest names all that is in memory, and where the contents of files are: who has read a
// part of one image can go on with another that has the same.
func (i *Image) Digest() string {
	h := sha256.New()
	for _, p := range i.pieces {
		fmt.Fprintln(h, p.at, p.size)
		if in, ok := p.content.(*bytes.Reader); ok {
			_, _ = io.Copy(h, io.NewSectionReader(in, 0, in.Size()))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ReadAt implements io.ReaderAt. Several goroutines may call it at once.
func (i *Image) ReadAt(p []byte, at int64) (n int, err error) {
	if at < 0 || at >= i.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > i.size-at
	if short {
		p = p[:i.size-at]
	}
	next, _ := slices.BinarySearchFunc(i.pieces, at, func(p piece, at int64) int {
		if p.at+p.size <= at {
			return -1
		}
		return 1
	})
	clear(p)
	for ; next < len(i.pieces); next++ {
		from := i.pieces[next]
		begin, end := max(from.at, at), min(from.at+from.size, at+int64(len(p)))
		if begin >= end {
			break
		}
		if _, err := from.content.ReadAt(p[begin-at:end-at], begin-from.at); err != nil {
			return 0, err
		}
	}
	if short {
		return len(p), io.EOF
	}
	return len(p), nil
}
