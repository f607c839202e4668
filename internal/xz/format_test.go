package xz

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"strings"
	"testing"
)

// seal puts the checksum behind p that p must have.
func seal(p []byte) []byte {
	return binary.LittleEndian.AppendUint32(bytes.Clone(p), crc32.ChecksumIEEE(p))
}

// parts make an .xz file that is right but for what a test changes.
type parts struct {
	header, block, data, check, index, footer []byte
}

// goodParts are a stream of one stored byte, without a check.
func goodParts() parts {
	return parts{
		header: []byte{0, 0},
		block:  []byte{2, 0, 0x21, 1, 0, 0, 0, 0},
		data:   []byte{1, 0, 0, 'a', 0, 0, 0, 0},
		index:  []byte{0, 1, 17, 1},
		footer: []byte{1, 0, 0, 0, 0, 0},
	}
}

func (p parts) file() []byte {
	foot := binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(p.footer))
	return slices.Concat(headerMagic, seal(p.header), seal(p.block), p.data, p.check, seal(p.index), foot, p.footer, footerMagic)
}

func TestHeaders(t *testing.T) {
	long := []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}
	for _, test := range []struct {
		name    string
		change  func(*parts)
		problem string
	}{
		{"good", func(*parts) {}, ""},
		{"reserved stream flags", func(p *parts) { p.header = []byte{1, 0} }, "stream header has flags"},
		{"reserved check bits", func(p *parts) { p.header = []byte{0, 0x10} }, "stream header has flags"},
		{"unknown check", func(p *parts) { p.header = []byte{0, 2} }, "integrity check 2 is not supported"},
		{"reserved block flags", func(p *parts) { p.block[1] = 4 }, "block header has flags"},
		{"x86", func(p *parts) { p.block[2] = 4 }, "filter 0x4 (BCJ x86) is not supported; only LZMA2 is"},
		{"delta", func(p *parts) { p.block[2] = 3 }, "filter 0x3 (Delta) is not supported"},
		{"ARM64", func(p *parts) { p.block[2] = 10 }, "filter 0xa (BCJ ARM64) is not supported"},
		{"unknown filter", func(p *parts) { p.block[2] = 0x7f }, "filter 0x7f (unknown) is not supported"},
		{"LZMA2 twice", func(p *parts) { p.block = []byte{2, 1, 0x21, 1, 0, 0x21, 1, 0} }, "the only filter"},
		{"filter properties are cut off", func(p *parts) { p.block[3] = 100 }, "too short"},
		{"filter id has too many bytes", func(p *parts) { p.block = append([]byte{4, 0}, append(long, 0, 0, 0, 0)...) }, "too short"},
		{"no filter properties", func(p *parts) { p.block[3] = 0 }, "LZMA2 has properties"},
		{"dictionary beyond the format", func(p *parts) { p.block[4] = 41 }, "LZMA2 has properties"},
		{"dictionary of 96 MiB", func(p *parts) { p.block[4] = 29 }, "the dictionary has 100663296 bytes; at most 67108864 are allowed"},
		{"dictionary of 4 GiB", func(p *parts) { p.block[4] = 40 }, "are allowed"},
		{"dictionary of 64 MiB", func(p *parts) { p.block[4] = 28 }, ""},
		{"something behind the filters", func(p *parts) { p.block[7] = 1 }, "behind its filters"},
		{"compressed size of none", func(p *parts) { p.block = []byte{2, 0x40, 0, 0x21, 1, 0, 0, 0} }, "too short"},
		{"compressed size", func(p *parts) { p.block = []byte{2, 0x40, 5, 0x21, 1, 0, 0, 0} }, ""},
		{"wrong compressed size", func(p *parts) { p.block = []byte{2, 0x40, 6, 0x21, 1, 0, 0, 0} }, "another size than its header"},
		{"size", func(p *parts) { p.block = []byte{2, 0x80, 1, 0x21, 1, 0, 0, 0} }, ""},
		{"too small size", func(p *parts) { p.block = []byte{2, 0x80, 0, 0x21, 1, 0, 0, 0} }, "more than the block has"},
		{"too large size", func(p *parts) { p.block = []byte{2, 0x80, 2, 0x21, 1, 0, 0, 0} }, "another size than its header"},
		{"size in a longer form", func(p *parts) { p.block = []byte{2, 0x80, 0x81, 0, 0x21, 1, 0, 0} }, "too short"},
		{"padding of the block", func(p *parts) { p.data[7] = 1 }, "padding behind a block"},
		{"wrong CRC32", func(p *parts) {
			p.header, p.footer, p.check, p.index = []byte{0, 1}, []byte{1, 0, 0, 0, 0, 1}, make([]byte, 4), []byte{0, 1, 21, 1}
		}, "its check is wrong"},
		{"wrong CRC64", func(p *parts) {
			p.header, p.footer, p.check, p.index = []byte{0, 4}, []byte{1, 0, 0, 0, 0, 4}, make([]byte, 8), []byte{0, 1, 25, 1}
		}, "its check is wrong"},
		{"wrong SHA-256", func(p *parts) {
			p.header, p.footer, p.check, p.index = []byte{0, 10}, []byte{1, 0, 0, 0, 0, 10}, make([]byte, 32), []byte{0, 1, 49, 1}
		}, "its check is wrong"},
		{"index without the block", func(p *parts) { p.index = []byte{0, 0, 0, 0} }, "the index has 0 blocks, the stream 1"},
		{"index with another size", func(p *parts) { p.index[3] = 2 }, "other sizes"},
		{"index with another place", func(p *parts) { p.index[2] = 16 }, "other sizes"},
		{"index with a longer form", func(p *parts) { p.index = []byte{0, 1, 17, 0x81, 0, 0, 0, 0} }, "a number that is none"},
		{"index with a number too long", func(p *parts) { p.index = append([]byte{0, 1}, append(long, 1)...) }, "a number that is none"},
		{"padding of the index", func(p *parts) { p.index = []byte{0, 1, 17, 1, 1, 0, 0, 0}; p.footer[0] = 2 }, "the index is damaged"},
		{"footer with another check", func(p *parts) { p.footer[5] = 1 }, "different flags"},
		{"footer with another index", func(p *parts) { p.footer[0] = 2 }, "another size than it has"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := goodParts()
			test.change(&p)
			file := p.file()
			got, err := unpackXZ(file, 1)
			if test.problem == "" {
				if err != nil || string(got) != "a" {
					t.Errorf("%q, %v", got, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.problem) {
				t.Errorf("error %v, want %q", err, test.problem)
			}
			if _, theirs := runXZ(t, file, "-dc", "--memlimit=256MiB"); theirs == nil && err != nil && !strings.Contains(err.Error(), "allowed") {
				t.Errorf("xz -d reads it; we say %v", err)
			}
		})
	}
}

func TestChecksumsOfHeaders(t *testing.T) {
	good := goodParts().file()
	for offset, problem := range map[int]string{
		0:             "no xz stream",
		8:             "stream header is damaged",
		20:            "block header is damaged",
		36:            "index is damaged",
		40:            "stream footer is damaged",
		len(good) - 1: "does not end with a footer",
	} {
		bad := bytes.Clone(good)
		bad[offset] ^= 0x40
		if _, err := unpackXZ(bad, 1); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("byte %d: %v, want %q", offset, err, problem)
		}
	}
}

func TestStreamPadding(t *testing.T) {
	one := goodParts().file()
	for _, test := range []struct {
		name    string
		file    []byte
		content string
		good    bool
	}{
		{"no file", nil, "", false},
		{"padding alone", make([]byte, 4), "", false},
		{"padding behind", slices.Concat(one, make([]byte, 12)), "a", true},
		{"padding between", slices.Concat(one, make([]byte, 4), one), "aa", true},
		{"no padding between", slices.Concat(one, one, one), "aaa", true},
		{"padding before", slices.Concat(make([]byte, 4), one), "", false},
		{"odd padding", slices.Concat(one, make([]byte, 3)), "a", false},
		{"odd padding between", slices.Concat(one, make([]byte, 5), one), "a", false},
		{"something behind", slices.Concat(one, []byte("more of it..")), "a", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := unpackXZ(test.file, 2)
			if (err == nil) != test.good || string(got) != test.content {
				t.Errorf("%q, %v", got, err)
			}
			if _, theirs := runXZ(t, test.file, "-dc"); (theirs == nil) != test.good && len(test.file) > 0 {
				t.Errorf("xz -d says %v", theirs)
			}
		})
	}
}

func TestWindowsGoRound(t *testing.T) {
	// Decoders of all sizes one after the other get each other's buffers.
	content := text(3 << 20)
	for _, dictionary := range []string{"4KiB", "1MiB", "64KiB", "8MiB", "4KiB", "1536KiB"} {
		packed, err := runXZ(t, content, "--lzma2=preset=0,dict="+dictionary, "-c")
		if err != nil {
			t.Fatal(err)
		}
		for workers := 1; workers <= 2; workers++ {
			if got, err := unpackXZ(packed, workers); err != nil || !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes, %v", dictionary, len(got), err)
			}
		}
	}
}
