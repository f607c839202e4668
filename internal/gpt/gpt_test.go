package gpt

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const mib = 1 << 20

func sample() *Table {
	return &Table{
		Disk: must("8b0f9e20-0102-8304-8506-0708090a0b0c"), DiskSize: 64 * mib,
		Partitions: []Partition{
			{Number: 1, Type: ESP, ID: must("11111111-2222-8333-8444-555555555555"), Start: mib, Size: 40 * mib, Name: "esp"},
			{Number: 2, Type: Store, ID: must("aaaaaaaa-bbbb-8ccc-8ddd-eeeeeeeeeeee"), Start: 41 * mib, Size: 22 * mib, Name: "stet ✓", Attributes: 1 << 59},
		},
	}
}

// disk is a disk in memory.
type disk []byte

func (d disk) WriteAt(p []byte, at int64) (int, error) { return copy(d[at:], p), nil }

func write(t testing.TB, table *Table) disk {
	t.Helper()
	d := make(disk, table.DiskSize)
	if err := table.Write(d, nil); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	table := sample()
	d := write(t, table)
	got, err := Read(bytes.NewReader(d), int64(len(d)))
	if err != nil || !reflect.DeepEqual(got, table) {
		t.Fatalf("%v, %v", got, err)
	}
	if got.Partitions[0].Type.String() != "c12a7328-f81f-11d2-ba4b-00a0c93ec93b" {
		t.Errorf("the type of the ESP is %s", got.Partitions[0].Type)
	}
}

func TestOtherToolsAgree(t *testing.T) {
	name := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(name, write(t, sample()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sgdisk", "-v", "-p", name).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "No problems found") {
		t.Fatalf("sgdisk: %v\n%s", err, out)
	}
	out, err = exec.Command("sgdisk", "-i", "1", name).CombinedOutput()
	for _, want := range []string{"C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "11111111-2222-8333-8444-555555555555", "First sector: 2048 ", "Partition name: 'esp'"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("sgdisk: %v, without %q\n%s", err, want, out)
		}
	}
}

func TestDamage(t *testing.T) {
	table := sample()
	for what, at := range map[string]int{"signature": SectorSize, "header": SectorSize + 60, "entries": 2*SectorSize + 40} {
		d := write(t, table)
		d[at] ^= 1
		if got, err := Read(bytes.NewReader(d), int64(len(d))); err != nil || !reflect.DeepEqual(got, table) {
			t.Errorf("with a damaged %s: %v, %v; want what the backup has", what, got, err)
		}
		back := len(d) - SectorSize
		d[back+60] ^= 1
		if _, err := Read(bytes.NewReader(d), int64(len(d))); err == nil {
			t.Errorf("with a damaged %s and backup there is a table", what)
		}
	}
	for _, size := range []int{0, 1, 512, 1024, 64 << 10, mib} {
		if _, err := Read(bytes.NewReader(make([]byte, size)), int64(size)); !errors.Is(err, ErrNone) {
			t.Errorf("%d bytes of nothing: %v", size, err)
		}
	}
}

func TestGrow(t *testing.T) {
	table := sample()
	old := write(t, table)
	d := make(disk, 100*mib)
	copy(d, old)
	read, err := Read(bytes.NewReader(d), int64(len(d)))
	if err != nil {
		t.Fatal(err)
	}
	grown, changed, err := read.Grow(2, int64(len(d)))
	if err != nil || !changed || grown.Partitions[1].Size != 58*mib || grown.Partitions[0] != table.Partitions[0] {
		t.Fatalf("%+v, %v, %v", grown, changed, err)
	}
	// A power cut after any part of the writing leaves the old table or the new.
	front, back, err := grown.Encode()
	if err != nil {
		t.Fatal(err)
	}
	type piece struct {
		bytes []byte
		at    int
	}
	var pieces []piece
	for i := 0; i < len(back); i += SectorSize {
		pieces = append(pieces, piece{back[i : i+SectorSize], len(d) - len(back) + i})
	}
	for i := SectorSize; i < len(front); i += SectorSize {
		pieces = append(pieces, piece{front[i : i+SectorSize], i})
	}
	for i, p := range pieces {
		copy(d[p.at:], p.bytes)
		got, err := Read(bytes.NewReader(d), int64(len(d)))
		if err != nil || !reflect.DeepEqual(got, table) && !reflect.DeepEqual(got, grown) {
			t.Fatalf("after %d sectors: %+v, %v", i+1, got, err)
		}
	}
	if again, changed, err := grown.Grow(2, int64(len(d))); err != nil || changed {
		t.Errorf("growing again: %+v, %v", again, err)
	}
	if _, _, err := table.Grow(1, 100*mib); err == nil {
		t.Error("a partition grew over the one behind it")
	}
	if _, _, err := table.Grow(2, 50*mib); err == nil {
		t.Error("a disk shrank below its partitions")
	}
	if _, _, err := table.Grow(7, 100*mib); err == nil {
		t.Error("a partition that is not there grew")
	}
}

func TestTablesThatCannotBeAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Table){
		"no room":        func(t *Table) { t.DiskSize = 4096 },
		"overlap":        func(t *Table) { t.Partitions[1].Start = 30 * mib },
		"does not fit":   func(t *Table) { t.Partitions[1].Size = 23 * mib },
		"no type":        func(t *Table) { t.Partitions[1].ID = GUID{} },
		"two partitions": func(t *Table) { t.Partitions[1].Number = 1 },
		"whole sectors":  func(t *Table) { t.Partitions[1].Size-- },
		"too long":       func(t *Table) { t.Partitions[1].Name = strings.Repeat("x", 37) },
		"no partition 0": func(t *Table) { t.Partitions[1].Number = 0 },
	} {
		table := sample()
		change(table)
		if _, _, err := table.Encode(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	d := write(f, sample())
	front, back := d[:firstUsable*SectorSize], d[len(d)-backupSectors*SectorSize:]
	f.Add([]byte(front), []byte(back))
	f.Fuzz(func(t *testing.T, front, back []byte) {
		if len(front)+len(back) > mib {
			return
		}
		d := make([]byte, 2*mib)
		copy(d, front)
		copy(d[len(d)-len(back):], back)
		table, err := Read(bytes.NewReader(d), int64(len(d)))
		if err != nil {
			return
		}
		for _, p := range table.Partitions {
			if p.Start < 0 || p.Size <= 0 || p.Start+p.Size > int64(len(d)) {
				t.Errorf("%+v is not on the disk", p)
			}
		}
	})
}
