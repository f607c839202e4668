package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"testing/iotest"

	foreign "github.com/ulikunitz/xz"
	foreignlzma "github.com/ulikunitz/xz/lzma"
)

// text is compressible, deterministic and of any length.
func text(n int) []byte {
	b := make([]byte, 0, n+64)
	for i := uint32(1); len(b) < n; i++ {
		b = fmt.Appendf(b, "%d %x the quick brown fox\n", i, i*2654435761>>20)
	}
	return b[:n]
}

// packXZ compresses with an encoder in Go, so that fuzzing needs no program.
func packXZ(t testing.TB, content []byte, blockSize int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := foreign.WriterConfig{BlockSize: blockSize, DictCap: 1 << 16}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func runXZ(t testing.TB, input []byte, arguments ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("xz", arguments...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out, err
}

func unpackXZ(data []byte, workers int) ([]byte, error) {
	r := Open(bytes.NewReader(data), int64(len(data)), workers)
	defer r.Close()
	return io.ReadAll(r)
}

func TestXZReadsWhatXZWrites(t *testing.T) {
	content := text(700_000)
	for _, test := range []struct {
		name      string
		content   []byte
		arguments []string
		blocks    int
	}{
		{"one block", content, []string{"-0"}, 1},
		{"blocks", content, []string{"-0", "--block-size=100000"}, 7},
		{"blocks by threads, with sizes in their headers", content, []string{"-0", "-T2", "--block-size=100000"}, 7},
		{"uneven blocks", content, []string{"-0", "--block-list=1,300000,7,0"}, 4},
		{"as dpkg-deb makes it", content, []string{"-6", "-T1", "--check=crc32"}, 1},
		{"SHA-256", content, []string{"-0", "--check=sha256", "--block-size=300000"}, 3},
		{"no check", content, []string{"-0", "--check=none", "--block-size=300000"}, 3},
		{"nothing", nil, []string{"-0"}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			packed, err := runXZ(t, test.content, append(test.arguments, "-c")...)
			if err != nil {
				t.Fatal(err)
			}
			layout, ok := readLayout(bytes.NewReader(packed), int64(len(packed)))
			if !ok || len(layout.blocks) != test.blocks {
				t.Errorf("%d blocks are seen, %v, want %d", len(layout.blocks), ok, test.blocks)
			}
			for workers := 1; workers <= 3; workers++ {
				got, err := unpackXZ(packed, workers)
				if err != nil || !bytes.Equal(got, test.content) {
					t.Errorf("%d workers: %d bytes of %d, %v", workers, len(got), len(test.content), err)
				}
			}
		})
	}
}

func TestXZReadsSeveralStreams(t *testing.T) {
	a, b := text(90_000), text(10_000)
	packed := slices.Concat(packXZ(t, a, 20_000), make([]byte, 8), packXZ(t, b, 2_000))
	if _, ok := readLayout(bytes.NewReader(packed), int64(len(packed))); ok {
		t.Error("two streams pass for one")
	}
	got, err := unpackXZ(packed, 2)
	if err != nil || !bytes.Equal(got, slices.Concat(a, b)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestXZReadsManyEmptyBlocks(t *testing.T) {
	// No encoder writes them, but the format allows them.
	block := []byte{0x02, 0x00, 0x21, 0x01, 0x00, 0, 0, 0}
	block = binary.LittleEndian.AppendUint32(block, crc32.ChecksumIEEE(block))
	block = append(block, 0x00, 0, 0, 0) // end of LZMA2, padding
	const count = 20
	flags := []byte{0, 0}
	packed := append(bytes.Clone(headerMagic), flags...)
	packed = binary.LittleEndian.AppendUint32(packed, crc32.ChecksumIEEE(flags))
	index := []byte{0, count}
	for range count {
		packed = append(packed, block...)
		index = append(index, 13, 0)
	}
	index = append(index, make([]byte, -len(index)&3)...)
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	tail := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	tail = append(tail, flags...)
	packed = append(packed, index...)
	packed = binary.LittleEndian.AppendUint32(packed, crc32.ChecksumIEEE(tail))
	packed = append(append(packed, tail...), footerMagic...)
	if out, err := runXZ(t, packed, "-dc"); err != nil || len(out) != 0 {
		t.Fatalf("xz -d: %d bytes, %v", len(out), err)
	}
	if layout, ok := readLayout(bytes.NewReader(packed), int64(len(packed))); !ok || len(layout.blocks) != count {
		t.Fatalf("%d blocks, %v", len(layout.blocks), ok)
	}
	for workers := 1; workers <= 2; workers++ {
		if got, err := unpackXZ(packed, workers); err != nil || len(got) != 0 {
			t.Errorf("%d workers: %d bytes, %v", workers, len(got), err)
		}
	}
}

func TestXZRefusesEveryDamage(t *testing.T) {
	content := text(3_000)
	for _, blockSize := range []int64{1_000, 1 << 20} {
		packed := packXZ(t, content, blockSize)
		unseen := 0
		for i := range packed {
			for _, flip := range []byte{0x01, 0x80} {
				damaged := bytes.Clone(packed)
				damaged[i] ^= flip
				for workers := 1; workers <= 2; workers++ {
					got, err := unpackXZ(damaged, workers)
					if err == nil && !bytes.Equal(got, content) {
						t.Fatalf("byte %d: damage unseen by %d workers", i, workers)
					}
					if err == nil && flip == 1 && workers == 1 {
						unseen++
					}
				}
			}
		}
		if unseen > 0 {
			t.Errorf("%d damaged bytes of %d are no error", unseen, len(packed))
		}
		for n := range packed {
			for workers := 1; workers <= 2; workers++ {
				if _, err := unpackXZ(packed[:n], workers); err == nil {
					t.Errorf("%d of %d bytes are no error with %d workers", n, len(packed), workers)
				}
			}
		}
	}
}

func TestXZBlocksReportTheFaultsOfTheirReader(t *testing.T) {
	packed := packXZ(t, text(9_000), 1_000)
	broken := errors.New("broken disk")
	r := faultyReaderAt{bytes.NewReader(packed), 1_500, broken}
	x := Open(r, int64(len(packed)), 2)
	defer x.Close()
	if _, err := io.ReadAll(x); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// faultyReaderAt cannot read the few bytes at a place in its middle.
type faultyReaderAt struct {
	r   io.ReaderAt
	bad int64
	err error
}

func (f faultyReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	if offset <= f.bad && f.bad < offset+int64(len(p)) {
		return 0, f.err
	}
	return f.r.ReadAt(p, offset)
}

func TestXZBlockReaderClosesEarly(t *testing.T) {
	packed := packXZ(t, text(200_000), 1_000)
	for read := range 20 {
		x := Open(bytes.NewReader(packed), int64(len(packed)), 2)
		if _, err := io.ReadFull(x, make([]byte, read*977)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := x.Read(make([]byte, 10)); n != 0 || err == nil || err == io.EOF {
			t.Errorf("read after close: %d, %v", n, err)
		}
	}
}

func TestXZBlockReaderIsAReader(t *testing.T) {
	content := text(20_000)
	packed := packXZ(t, content, 3_000)
	x := Open(bytes.NewReader(packed), int64(len(packed)), 2)
	defer x.Close()
	if err := iotest.TestReader(x, content); err != nil {
		t.Error(err)
	}
}

func FuzzXZ(f *testing.F) {
	for _, blockSize := range []int64{100, 700, 1 << 20} {
		f.Add(packXZ(f, text(1_000), blockSize))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		unpack := func(workers int) ([]byte, error) {
			r := Open(bytes.NewReader(data), int64(len(data)), workers)
			defer r.Close()
			return io.ReadAll(io.LimitReader(r, limit))
		}
		one, oneErr := unpack(1)
		two, twoErr := unpack(2)
		if len(one) == limit || len(two) == limit {
			return // where the fault is found depends on the way
		}
		if (oneErr == nil) != (twoErr == nil) {
			t.Fatalf("as a stream: %v, as blocks: %v", oneErr, twoErr)
		}
		if oneErr == nil && !bytes.Equal(one, two) {
			t.Fatalf("as a stream %d bytes, as blocks %d others", len(one), len(two))
		}
		if oneErr != nil {
			return
		}
		if out, err := runXZ(t, data, "-dc", "--memlimit=256MiB"); err != nil || !bytes.Equal(out, one) {
			t.Fatalf("xz -d: %d bytes, %v; we read %d", len(out), err, len(one))
		}
	})
}

func BenchmarkXZ(b *testing.B) {
	content := text(48 << 20)
	packed, err := runXZ(b, content, "-1", "--block-size=8MiB", "-c")
	if err != nil {
		b.Fatal(err)
	}
	for workers := 1; workers <= 2; workers++ {
		b.Run(strconv.Itoa(workers), func(b *testing.B) {
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				r := Open(bytes.NewReader(packed), int64(len(packed)), workers)
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}

// firstChunks gives the LZMA2 of the first block of content, packed.
func firstChunks(t testing.TB, content []byte, blockSize int64) []byte {
	packed := packXZ(t, content, blockSize)
	l, ok := readLayout(bytes.NewReader(packed), int64(len(packed)))
	if !ok {
		t.Fatal("no layout")
	}
	b := l.blocks[0]
	return packed[b.offset+int64(packed[b.offset])*4+4 : b.offset+b.unpadded-8]
}

// FuzzXZBlock gets behind the checksums that stop most random damage: its input
// is the LZMA2 of one block without a check. Another decoder must agree.
func FuzzXZBlock(f *testing.F) {
	f.Add(firstChunks(f, text(1_000), 1<<20))
	for _, seed := range lzma2Seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, chunks []byte) {
		ours, ourErr := decodeChunks(chunks, 1<<16)
		r, err := foreignlzma.Reader2Config{DictCap: 1 << 16}.NewReader2(bytes.NewReader(chunks))
		if err != nil {
			return
		}
		theirs, theirErr := io.ReadAll(io.LimitReader(r, 1<<22))
		if ourErr == nil && len(theirs) < 1<<22 && (theirErr != nil || !bytes.Equal(ours, theirs)) {
			t.Fatalf("we read %d bytes; the other decoder %d, %v", len(ours), len(theirs), theirErr)
		}
	})
}
