package debian

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"stet/internal/xz"
)

// ErrTooLarge is what decompression ends with when there is more than the
// caller allows.
var ErrTooLarge = errors.New("decompresses to more than is allowed")

// compression is a format that archives and their members are compressed with.
type compression uint8

const (
	uncompressed compression = iota
	gzipped
	xzipped
	zstandard
	bzipped
)

// compressionOf goes by the end of the name, as dpkg does.
func compressionOf(name string) (compression, error) {
	switch ext := path.Ext(name); ext {
	case ".gz":
		return gzipped, nil
	case ".xz":
		return xzipped, nil
	case ".zst":
		return zstandard, nil
	case ".bz2":
		return bzipped, nil
	case ".tar", "":
		return uncompressed, nil
	default:
		return 0, fmt.Errorf("compression %q is not supported; .gz, .xz, .zst and .bz2 are", ext)
	}
}

// OpenCompressed decompresses the size bytes in r, which are called name: its
// ending (".xz", ".gz", ".zst", ".bz2", none) says how. Reading more than limit
// bytes ends with ErrTooLarge. Several blocks of an xz file are decompressed at
// a time, up to workers. The caller must close the reader.
func OpenCompressed(name string, r io.ReaderAt, size, limit int64, workers int) (io.ReadCloser, error) {
	format, err := compressionOf(name)
	if err != nil {
		return nil, err
	}
	stream, err := decompress(format, r, size, workers)
	if err != nil {
		return nil, err
	}
	return &limitedReader{stream: stream, left: limit}, nil
}

func decompress(format compression, r io.ReaderAt, size int64, workers int) (io.ReadCloser, error) {
	section := io.NewSectionReader(r, 0, size)
	switch format {
	case gzipped:
		return gzip.NewReader(bufio.NewReaderSize(section, readSize))
	case xzipped:
		return xz.Open(r, size, workers), nil
	case zstandard:
		d, err := zstd.NewReader(section, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(128<<20), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	case bzipped:
		return io.NopCloser(bzip2.NewReader(bufio.NewReaderSize(section, readSize))), nil
	default:
		return io.NopCloser(section), nil
	}
}

// ReleaseBuffers lets go of the memory that is kept for the next file.
func ReleaseBuffers() { xz.ReleaseBuffers() }

const readSize = 64 << 10 // bytes read from the file at a time

// ratioFree is how much a member may become whatever its ratio.
const ratioFree = 64 << 20

// openMember decompresses a member within both limits.
func (d *Deb) openMember(m arMember, limit int64, limits Limits) (io.ReadCloser, error) {
	if m.size < limit/limits.Ratio {
		limit = min(limit, max(ratioFree, m.size*limits.Ratio))
	}
	return OpenCompressed(m.name, io.NewSectionReader(d.r, m.offset, m.size), m.size, limit, limits.Workers)
}

// limitedReader ends with ErrTooLarge where io.LimitedReader would pretend
// that the stream ends.
type limitedReader struct {
	stream io.ReadCloser
	left   int64
	err    error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	// One byte more than allowed tells a stream that ends from one that goes on.
	if int64(len(p))-1 > l.left {
		p = p[:l.left+1]
	}
	n, err := l.stream.Read(p)
	if int64(n) > l.left {
		n, err = int(l.left), ErrTooLarge
	}
	l.left -= int64(n)
	l.err = err
	return n, err
}

func (l *limitedReader) Close() error { return l.stream.Close() }
