package mirror_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stet/internal/debian"
	"stet/internal/mirror"
)

// everyField is an index whose first package has all fields; relations are
// shared between packages, as in a real one.
func everyField(packages int) []byte {
	var b bytes.Buffer
	for i := range packages {
		fmt.Fprintf(&b, "Package: p%d\nSource: src (1.%d)\nVersion: 2:1.%d-1+b1\nArchitecture: amd64\nMulti-Arch: same\n", i, i, i)
		fmt.Fprintf(&b, "Essential: yes\nProtected: yes\nInstalled-Size: %d\nSection: libs\nPriority: required\n", 1000+i)
		fmt.Fprintf(&b, "Pre-Depends: dpkg (>= 1.17)\nDepends: libc6 (>= 2.%d), a | b:any (<< 3) | c, libc6 (>= 2.40)\nRecommends: r\nConflicts: x\n", i%40)
		fmt.Fprintf(&b, "Breaks: y (<= 1)\nReplaces: y (<= 1)\nProvides: virtual (= 1), other\n")
		fmt.Fprintf(&b, "Filename: pool/main/p/p%d.deb\nSize: %d\nSHA256: %s\n\n", i, 1<<20+i, fmt.Sprintf("%064x", i))
	}
	return b.Bytes()
}

func parse(t testing.TB, index []byte) []*debian.Package {
	t.Helper()
	packages, err := debian.ParsePackages(bytes.NewReader(index))
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func TestATableKeepsEveryField(t *testing.T) {
	for _, n := range []int{0, 1, 500} {
		want := parse(t, everyField(n))
		have, err := mirror.DecodeTable(mirror.EncodeTable(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have, cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestADamagedTableIsNoTable(t *testing.T) {
	whole := mirror.EncodeTable(parse(t, everyField(3)))
	for n := range len(whole) {
		if _, err := mirror.DecodeTable(whole[:n]); err == nil {
			t.Fatalf("took the first %d of %d bytes", n, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[n] ^= 0x10
		if _, err := mirror.DecodeTable(changed); err == nil {
			t.Fatalf("took a flipped bit in byte %d", n)
		}
	}
}

// The checksum is no defence against a table that was made to harm.
func FuzzDecodeTable(f *testing.F) {
	whole := mirror.EncodeTable(parse(f, everyField(3)))
	f.Add(whole[:len(whole)-sha256.Size])
	f.Add([]byte("stet index\n\x00\x00\x00"))
	f.Add([]byte("stet index\n\xff\xff\xff\xff\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		packages, err := mirror.DecodeTable(append(body, sum[:]...))
		if err != nil {
			return
		}
		again, err := mirror.DecodeTable(mirror.EncodeTable(packages))
		if err != nil || len(again) != len(packages) {
			t.Errorf("%d packages became %d: %v", len(packages), len(again), err)
		}
	})
}

// BenchmarkLoadIndex is about the size of trixie's main: 70,000 packages.
func BenchmarkLoadIndex(b *testing.B) {
	var index bytes.Buffer
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 70000 {
		var depends []string
		for range 8 {
			depends = append(depends, fmt.Sprintf("p%d (>= 1.%d)", random.IntN(9000), random.IntN(3)))
		}
		fmt.Fprintf(&index, "Package: p%d\nVersion: 1.%d-1\nArchitecture: amd64\nSection: libs\nPriority: optional\nDepends: %s\nFilename: pool/main/p/p%d.deb\nSize: %d\nSHA256: %064x\n\n",
			i, i%100, strings.Join(depends, ", "), i, i, i)
	}
	table := mirror.EncodeTable(parse(b, index.Bytes()))
	b.SetBytes(int64(len(table)))
	for b.Loop() {
		if _, err := mirror.DecodeTable(table); err != nil {
			b.Fatal(err)
		}
	}
}
