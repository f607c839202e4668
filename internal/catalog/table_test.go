package catalog_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stet/internal/catalog"
	"stet/internal/debian"
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

// table is that of packages.
func table(packages []*debian.Package) []byte {
	w := catalog.NewWriter()
	for _, p := range packages {
		w.Add(p)
	}
	return w.Table()
}

func read(written []byte) (*catalog.Catalog, error) {
	return catalog.Read(bytes.NewReader(written), int64(len(written)))
}

func TestATableKeepsEveryField(t *testing.T) {
	for _, n := range []int{0, 1, 500} {
		want := parse(t, everyField(n))
		have, err := read(table(want))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have.All(), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
}

// A table that older code made is read only as long as it means the same.
func TestOtherTablesAreOfAnotherVersion(t *testing.T) {
	const version, digest = 3, "9a59bc97afd3e821fe77c64f6befcc466d7f0d9165dcf21931f18e440ab68bc3"
	written := table(parse(t, everyField(50)))
	if sum := fmt.Sprintf("%x", sha256.Sum256(written)); catalog.Version == version && sum != digest {
		t.Errorf("the table of version %d has changed: raise Version, unless older code reads it as this does, and write %s here", version, sum)
	}
}

// An index names files and digests as everyField does, but nothing depends on that.
func TestATableKeepsOddFilesAndDigests(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	want := []*debian.Package{
		{Name: "a", Version: "1:2", Architecture: "all", Filename: "pool/a_2_all.deb", SHA256: sum},
		{Name: "b", Version: "1:2", Architecture: "all", Filename: "b_1:2_all.deb", SHA256: strings.ToUpper(sum)},
		{Name: "c", Version: "2", Architecture: "all", Filename: "pool/", SHA256: sum[2:]},
		{Name: "d", Version: "2", Architecture: "all"},
	}
	c, err := read(table(want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, c.All()); diff != "" {
		t.Error(diff)
	}
}

func TestADamagedTableIsNoTable(t *testing.T) {
	whole := table(parse(t, everyField(3)))
	for n := range len(whole) {
		if _, err := read(whole[:n]); err == nil {
			t.Fatalf("took the first %d of %d bytes", n, len(whole))
		}
		changed := bytes.Clone(whole)
		changed[n] ^= 0x10
		if _, err := read(changed); err == nil {
			t.Fatalf("took a flipped bit in byte %d", n)
		}
	}
}

// What is larger is hashed in several blocks.
func TestEveryBlockOfATableCounts(t *testing.T) {
	want := parse(t, everyField(20000))
	whole := table(want)
	if c, err := read(whole); err != nil || !reflect.DeepEqual(c.All(), want) {
		t.Fatalf("%d bytes are another catalog: %v", len(whole), err)
	}
	for at := 0; at < len(whole); at += len(whole) / 7 {
		whole[at] ^= 1
		if _, err := read(whole); err == nil {
			t.Errorf("took a flipped bit in byte %d of %d", at, len(whole))
		}
		whole[at] ^= 1
	}
}

// Of alternatives that many packages have, there is one.
func TestPackagesOfATableShareEqualAlternatives(t *testing.T) {
	c, err := read(table(parse(t, everyField(2))))
	if err != nil {
		t.Fatal(err)
	}
	all := c.All()
	if &all[0].PreDepends[0][0] != &all[1].PreDepends[0][0] {
		t.Error("there are two of one")
	}
}

// The digest is no defence against a table that was made to harm.
func FuzzRead(f *testing.F) {
	whole := table(parse(f, everyField(3)))
	f.Add(whole[:len(whole)-sha256.Size])
	f.Add([]byte("stet catalog\n\x00\x00\x00"))
	f.Add(append([]byte("stet catalog\n"), bytes.Repeat([]byte{0xff}, 40)...))
	f.Fuzz(func(t *testing.T, body []byte) {
		body = body[:min(len(body), 1<<20)] // one block, of which the digest is easily made
		sum := sha256.Sum256(body)
		sum = sha256.Sum256(sum[:])
		c, err := read(append(body, sum[:]...))
		if err != nil {
			return
		}
		for name := range c.Names() {
			c.Named(name)
		}
		c.Providing("virtual")
		c.Eminent()
		again, err := read(table(c.All()))
		if err != nil || again.Len() != c.Len() {
			t.Errorf("%d packages became %d: %v", c.Len(), again.Len(), err)
		}
	})
}

// BenchmarkRead is about the size of trixie's main: 70,000 packages.
func BenchmarkRead(b *testing.B) {
	var index bytes.Buffer
	for i := range 70000 {
		fmt.Fprintf(&index, "Package: p%d\nVersion: 1.%d-1\nArchitecture: amd64\nSection: libs\nPriority: optional\nDepends: p%d (>= 1.%d)\nFilename: pool/main/p/p%d.deb\nSize: %d\nSHA256: %064x\n\n",
			i, i%100, i%9000, i%3, i, i, i)
	}
	written := table(parse(b, index.Bytes()))
	b.SetBytes(int64(len(written)))
	for b.Loop() {
		if _, err := read(written); err != nil {
			b.Fatal(err)
		}
	}
}

// An archive's packages would take ten times the memory of their records.
func TestAWriterKeepsNoPackage(t *testing.T) {
	w := catalog.NewWriter()
	kept := func() weak.Pointer[debian.Package] {
		p := &debian.Package{Name: "a", Version: "1", Architecture: "all", Filename: "a_1_all.deb"}
		w.Add(p)
		return weak.Make(p)
	}()
	runtime.GC()
	if kept.Value() != nil {
		t.Error("the package is still there")
	}
	if c, err := read(w.Table()); err != nil || files(c.Named("a")) != "a_1_all.deb" {
		t.Errorf("the table has not what was added: %v", err)
	}
}
