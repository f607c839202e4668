package debian

import (
	"bufio"
	"io"

	"github.com/mikelolasagasti/xz"
)

// maxXZDict is the largest dictionary that xz's own presets use (xz -9).
const maxXZDict = 64 << 20

// decodeXZ is the one place that knows which xz decoder we use. The decoder
// checks the integrity of every block, and ends with io.EOF only when the
// whole stream is right.
func decodeXZ(r io.Reader) (io.Reader, error) {
	return xz.NewReader(bufio.NewReaderSize(r, readSize), maxXZDict)
}

// openXZ decompresses the xz file of size bytes in r: several blocks at a time
// when it has them and workers allows, otherwise as one stream.
func openXZ(r io.ReaderAt, size int64, workers int) (io.ReadCloser, error) {
	if workers > 1 {
		if layout, ok := readXZLayout(r, size); ok && layout.worthSplitting() {
			return newXZBlockReader(r, layout, workers), nil
		}
	}
	stream, err := decodeXZ(io.NewSectionReader(r, 0, size))
	if err != nil {
		return nil, err
	}
	return io.NopCloser(stream), nil
}
