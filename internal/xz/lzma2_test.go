package xz

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// decodeChunks decodes LZMA2 without a container.
func decodeChunks(chunks []byte, dictionary uint64) ([]byte, error) {
	d := newDecoder(dictionary)
	defer d.release()
	src := &source{r: bytes.NewReader(chunks)}
	var out []byte
	for len(out) < 1<<22 {
		p, err := d.next(src, 1<<40)
		out = append(out, p...)
		if err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
	}
	return out, fmt.Errorf("more than expected")
}

// lzma2Seeds are chunks of every kind, by hand.
var lzma2Seeds = [][]byte{
	{0},
	{1, 0, 2, 'a', 'b', 'c', 2, 0, 0, 'd', 0},
	{0xe0, 0, 0, 0, 5, 93, 0, 0, 0, 0, 0, 0, 0},
	{1, 0, 0, 'x', 0xc0, 0, 0, 0, 5, 93, 0, 0, 0, 0, 0, 0, 0},
	{0xe0, 0, 0, 0, 5, 93, 0, 0, 0, 0, 0, 0, 0xa0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0},
}

func TestChunks(t *testing.T) {
	// A literal of zeros alone leaves the range coder's code at zero.
	zero := []byte{0, 0, 0, 0, 0, 0}
	for _, test := range []struct {
		name    string
		chunks  string
		content string
		problem string
	}{
		{"nothing", "\x00", "", ""},
		{"stored", "\x01\x00\x02abc\x00", "abc", ""},
		{"stored, without a dictionary", "\x02\x00\x00a\x00", "", "begins no dictionary"},
		{"stored twice", "\x01\x00\x00a\x02\x00\x01bc\x00", "abc", ""},
		{"a second dictionary", "\x01\x00\x00a\x01\x00\x01bc\x00", "abc", ""},
		{"literal", "\xe0\x00\x00\x00\x05\x5d" + string(zero) + "\x00", "\x00", ""},
		{"literal without a dictionary: new properties", "\xc0\x00\x00\x00\x05\x5d" + string(zero) + "\x00", "", "begins no dictionary"},
		{"literal without a dictionary: new state", "\xa0\x00\x00\x00\x05" + string(zero) + "\x00", "", "begins no dictionary"},
		{"literal without a dictionary", "\x80\x00\x00\x00\x05" + string(zero) + "\x00", "", "begins no dictionary"},
		{"new properties after stored", "\x01\x00\x00a\xc0\x00\x00\x00\x05\x5d" + string(zero) + "\x00", "a\x00", ""},
		{"new state after stored", "\x01\x00\x00a\xa0\x00\x00\x00\x05" + string(zero) + "\x00", "a", "needs properties"},
		{"no new state after stored", "\x01\x00\x00a\x80\x00\x00\x00\x05" + string(zero) + "\x00", "a", "needs properties"},
		{"new state", "\xe0\x00\x00\x00\x05\x5d" + string(zero) + "\xa0\x00\x00\x00\x05" + string(zero) + "\x00", "\x00\x00", ""},
		{"same state", "\xe0\x00\x00\x00\x05\x5d" + string(zero) + "\x80\x00\x00\x00\x05" + string(zero) + "\x00", "\x00\x00", ""},
		{"stored dictionary, then state", "\xe0\x00\x00\x00\x05\x5d" + string(zero) + "\x01\x00\x00a\xa0\x00\x00\x00\x05" + string(zero) + "\x00", "\x00a", "needs properties"},
		{"unknown control", "\x03\x00\x00a\x00", "", "begins no dictionary"},
		{"unknown control later", "\x01\x00\x00a\x03\x00\x00a\x00", "a", "no kind of chunk"},
		{"properties beyond 224", "\xe0\x00\x00\x00\x05\xe1" + string(zero) + "\x00", "", "not allowed"},
		{"lc and lp beyond 4", "\xe0\x00\x00\x00\x05\x0d" + string(zero) + "\x00", "", "not allowed"},
		{"first byte of the range coder", "\xe0\x00\x00\x00\x05\x5d\x01\x00\x00\x00\x00\x00\x00", "", "not zero"},
		{"too short for a range coder", "\xe0\x00\x00\x00\x03\x5d\x00\x00\x00\x00\x00", "", "more bytes than it has"},
		{"more output than input", "\xe0\x00\xff\x00\x05\x5d" + string(zero) + "\x00", "", "more bytes than it has"},
		{"more input than output", "\xe0\x00\x00\x00\x06\x5d" + string(zero) + "\x00\x00", "", "does not end where it says"},
		{"match before the dictionary", "\xe0\x0f\xff\x00\x0f\x5d\x00\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", "", "before the dictionary"},
		{"match longer than the chunk", "\xe0\x00\x00\x00\x0f\x5d\x00\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", "", "longer than its chunk"},
		{"range coder behind its range", "\xe0\x0f\xff\x00\x0f\x5d\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", "", "behind its range"},
		{"end is missing", "\x01\x00\x00a", "a", "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := decodeChunks([]byte(test.chunks), 1<<12)
			if string(got) != test.content && test.problem == "" {
				t.Errorf("content %q, want %q", got, test.content)
			}
			if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("error %v, want %q", err, test.problem)
			}
		})
	}
}

// TestPropertiesOfEveryKind reads what xz makes with all that LZMA2 allows.
func TestPropertiesOfEveryKind(t *testing.T) {
	content := append(text(60_000), bytes.Repeat([]byte("abcdefghijklmnop\x00\x01\x02"), 2_000)...)
	content = append(content, bytes.Repeat([]byte{'z'}, 5_000)...)
	for lc := range 5 {
		for lp := range 5 - lc {
			for pb := range 5 {
				filter := fmt.Sprintf("--lzma2=preset=1,lc=%d,lp=%d,pb=%d,dict=4KiB", lc, lp, pb)
				packed, err := runXZ(t, content, filter, "-c")
				if err != nil {
					t.Fatal(err)
				}
				if got, err := unpackXZ(packed, 1); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s: %d bytes of %d, %v", filter, len(got), len(content), err)
				}
			}
		}
	}
}

// TestMatchesAtEveryDistance repeats short and long pieces at all the distances
// that copies treat in ways of their own, beyond the ring's end too.
func TestMatchesAtEveryDistance(t *testing.T) {
	var content []byte
	noise := uint32(1)
	for round := 0; len(content) < 400_000; round++ {
		for distance := 1; distance < 40; distance++ {
			for range distance {
				noise = noise*1664525 + 1013904223
				content = append(content, byte(noise>>24))
			}
			for range 1 + (round*37+distance*11)%300 {
				content = append(content, content[len(content)-distance])
			}
		}
		if from := len(content) - 4_000; from > 0 {
			content = append(content, content[from:from+273+round%9]...)
		}
	}
	for _, filter := range []string{"dict=4KiB", "dict=6KiB", "dict=64KiB", "dict=96KiB", "dict=1MiB"} {
		for _, more := range [][]string{nil, {"-T2", "--block-size=150000"}} {
			packed, err := runXZ(t, content, append(more, "--lzma2=preset=6,"+filter, "-c")...)
			if err != nil {
				t.Fatal(err)
			}
			for workers := 1; workers <= 2; workers++ {
				if got, err := unpackXZ(packed, workers); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s %v: %d bytes of %d, %v", filter, more, len(got), len(content), err)
				}
			}
		}
	}
}
