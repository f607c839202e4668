package nbd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

const testSectors = 64

func newTestDisk(t testing.TB) *Disk {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, testSectors*sector), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(image)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func fill(b byte, sectors int) []byte { return bytes.Repeat([]byte{b}, sectors*sector) }

func write(t testing.TB, d *Disk, b byte, at, sectors int, force bool) {
	t.Helper()
	if err := d.Write(fill(b, sectors), int64(at*sector), force); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, d *Disk) []byte {
	t.Helper()
	all := make([]byte, d.Size())
	if _, err := d.ReadAt(all, 0); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestGuestReadsWhatItWrote(t *testing.T) {
	d := newTestDisk(t)
	write(t, d, 1, 3, 2, false)
	write(t, d, 2, 4, 1, false)
	write(t, d, 3, 5, 1, true)
	p := make([]byte, 3*sector)
	if n, err := d.ReadAt(p, 3*sector-7); n != len(p) || err != nil {
		t.Fatal(n, err)
	}
	want := append(append(append(make([]byte, 7), fill(1, 1)...), fill(2, 1)...), fill(3, 1)...)[:len(p)]
	if !bytes.Equal(p, want) {
		t.Error("a read across sectors does not give what was written last")
	}
	for _, at := range []int64{-sector, testSectors*sector - sector, 1} {
		if err := d.Write(fill(1, 2), at, false); err == nil {
			t.Errorf("a write at %d was taken", at)
		}
	}
	if err := d.Write(fill(1, 1)[:100], 0, false); err == nil {
		t.Error("a write of 100 bytes was taken")
	}
}

func TestFlushedAndForcedWritesSurviveEveryCut(t *testing.T) {
	for seed := range uint64(200) {
		d := newTestDisk(t)
		write(t, d, 1, 0, 8, false)
		d.Flush()
		write(t, d, 2, 4, 8, false) // over half of what was flushed
		write(t, d, 3, 6, 2, true)  // over some of that
		loss := d.Cut(seed)
		for i, b := range content(t, d)[:12*sector] {
			at := i / sector
			switch {
			case at >= 6 && at < 8:
				if b != 3 {
					t.Fatalf("%s: the forced sector %d has %d", loss, at, b)
				}
			case at < 4 && b != 1 || at >= 4 && at < 6 && b != 1 && b != 2 || at >= 8 && b != 0 && b != 2:
				t.Fatalf("%s: sector %d has %d", loss, at, b)
			}
		}
	}
}

// TestCutsLoseEverythingThatADiskMay counts outcomes over many seeds: nothing, all,
// the later of two writes alone, a part of one.
func TestCutsLoseEverythingThatADiskMay(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(500) {
		d := newTestDisk(t)
		write(t, d, 1, 0, 8, false)
		write(t, d, 2, 10, 1, false)
		loss := d.Cut(seed)
		if loss.Writes != 2 || loss.Kept+loss.Torn+loss.Gone != 2 || loss.Sectors != 9 || loss.Survived > 9 {
			t.Fatalf("%+v", loss)
		}
		all := content(t, d)
		ones, later := bytes.Count(all, []byte{1})/sector, all[10*sector] == 2
		switch {
		case ones == 0 && !later:
			seen["nothing"]++
		case ones == 8 && later:
			seen["all"]++
		case ones == 0:
			seen["only the later"]++
		case ones == 8:
			seen["only the earlier"]++
		default:
			seen["a part"]++
		}
	}
	for _, outcome := range []string{"nothing", "all", "only the later", "only the earlier", "a part"} {
		if seen[outcome] < 20 {
			t.Errorf("500 cuts gave %q %d times; all were %v", outcome, seen[outcome], seen)
		}
	}
}

func TestWholeRangesAreNotTorn(t *testing.T) {
	torn := 0
	for seed := range uint64(200) {
		d := newTestDisk(t)
		d.Whole(2*sector, 2*sector)
		write(t, d, 1, 0, 8, false)
		write(t, d, 2, 1, 2, false)
		loss := d.Clone().Cut(seed)
		d.Cut(seed)
		all := content(t, d)
		if a, b := all[2*sector], all[3*sector]; a == 0 && b == 1 || a == 1 && b == 0 {
			t.Fatalf("%s: the halves are %d and %d", loss, a, b)
		}
		torn += loss.Torn
	}
	if torn < 50 {
		t.Errorf("only %d writes were torn", torn)
	}
}

func TestSameSeedSameCut(t *testing.T) {
	d := newTestDisk(t)
	dice := rand.New(rand.NewPCG(7, 7))
	for range 100 {
		write(t, d, byte(dice.IntN(255)+1), dice.IntN(testSectors-4), 1+dice.IntN(4), dice.IntN(10) == 0)
	}
	before := content(t, d)
	contents := map[string]int{}
	for seed := range uint64(10) {
		one, two := d.Clone(), d.Clone()
		if a, b := one.Cut(seed), two.Cut(seed); a != b || !bytes.Equal(content(t, one), content(t, two)) {
			t.Fatalf("seed %d cut twice: %s and %s", seed, a, b)
		}
		contents[string(content(t, one))]++
		write(t, one, 9, 0, testSectors, true)
	}
	if len(contents) < 5 {
		t.Errorf("10 seeds gave %d different disks", len(contents))
	}
	if !bytes.Equal(before, content(t, d)) {
		t.Error("what was done to clones changed the disk")
	}
}

// TestEveryCutIsOneThatTheWritesAllow holds cuts against a model: each sector has
// what was flushed, or one of the versions since.
func TestEveryCutIsOneThatTheWritesAllow(t *testing.T) {
	for seed := range uint64(50) {
		d := newTestDisk(t)
		dice := rand.New(rand.NewPCG(seed, 1))
		possible := map[int]map[byte]bool{}
		for i := range testSectors {
			possible[i] = map[byte]bool{0: true}
		}
		for step := range 120 {
			b, at, n, force := byte(step+1), dice.IntN(testSectors-4), 1+dice.IntN(4), dice.IntN(8) == 0
			if dice.IntN(20) == 0 {
				d.Flush()
				for i, now := range content(t, d) {
					possible[i/sector] = map[byte]bool{now: true}
				}
				continue
			}
			write(t, d, b, at, n, force)
			for i := at; i < at+n; i++ {
				if force {
					possible[i] = map[byte]bool{}
				}
				possible[i][b] = true
			}
		}
		loss := d.Cut(seed)
		for i, b := range content(t, d) {
			if !possible[i/sector][b] {
				t.Fatalf("%s: sector %d has %d; it may have %v", loss, i/sector, b, possible[i/sector])
			}
		}
	}
}

func TestSavedDiskIsWhatTheGuestSees(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	base, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	if err := errors.Join(base.Truncate(64<<20), func() error { _, err := base.WriteAt(fill(1, 9), 32<<20); return err }()); err != nil {
		t.Fatal(err)
	}
	d, err := Open(image)
	if err != nil {
		t.Fatal(err)
	}
	write(t, d, 2, 3, 1, true)
	write(t, d, 3, 65540, 1, false)
	saved := filepath.Join(t.TempDir(), "saved")
	if err := d.Save(saved); err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(saved)
	if err != nil || !bytes.Equal(have, content(t, d)) {
		t.Errorf("the saved disk differs (%v)", err)
	}
	var stat unix.Stat_t
	if err := unix.Stat(saved, &stat); err != nil || stat.Blocks*512 > 1<<20 {
		t.Errorf("a disk of a few sectors takes %d bytes (%v)", stat.Blocks*512, err)
	}
}

func TestNoDisk(t *testing.T) {
	image := filepath.Join(t.TempDir(), "image")
	for _, size := range []int{0, 100, 513} {
		if err := os.WriteFile(image, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(image); err == nil {
			t.Errorf("a file of %d bytes was taken for a disk", size)
		}
	}
}
