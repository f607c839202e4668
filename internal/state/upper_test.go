package state

import (
	"os"
	"path/filepath"
	"testing"
)

func TestUppersCountUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "etc")
	for number := 1; number <= 12; number++ {
		uppers, err := Uppers(dir)
		if err != nil || len(uppers) != number-1 {
			t.Fatalf("%d uppers, %v, want %d", len(uppers), err, number-1)
		}
		u, err := Begin(dir, uppers, "digest")
		if err != nil || u.Number != number {
			t.Fatalf("number %d, %v, want %d", u.Number, err, number)
		}
		if u, err = u.Finish(); err != nil {
			t.Fatal(err)
		}
		for _, directory := range []string{u.Upper(), u.Work()} {
			if info, err := os.Stat(directory); err != nil || info.Mode() != 0o755|os.ModeDir {
				t.Errorf("%s: %v, %v", directory, info, err)
			}
		}
	}
	uppers, err := Uppers(dir)
	if err != nil || uppers[9].Number != 10 || uppers[9].Image != "digest" {
		t.Errorf("%+v, %v: want them sorted by number", uppers, err)
	}
}

func TestAnUpperThatIsNotFinishedDoesNotCount(t *testing.T) {
	dir := t.TempDir()
	first, err := Begin(dir, nil, "digest")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(first.Upper(), "half"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	uppers, err := Uppers(dir) // a crash happened here
	if err != nil || len(uppers) != 0 {
		t.Fatalf("%+v, %v", uppers, err)
	}
	second, err := Begin(dir, uppers, "digest")
	if err != nil || second.Number != 1 {
		t.Fatalf("%+v, %v", second, err)
	}
	if entries, err := os.ReadDir(second.Upper()); err != nil || len(entries) != 0 {
		t.Errorf("the new upper has %v of the unfinished one, %v", entries, err)
	}
}

func TestForeignNamesAreNoUppers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"0", "01", "-1", "+2", "x", "3.partial", "lost+found", "99999999999999999999"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "5"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if uppers, err := Uppers(dir); err != nil || len(uppers) != 0 {
		t.Errorf("%+v, %v", uppers, err)
	}
}

func TestPruneRemovesTheOldest(t *testing.T) {
	dir := t.TempDir()
	for range 5 {
		uppers, err := Uppers(dir)
		if err != nil {
			t.Fatal(err)
		}
		u, err := Begin(dir, uppers, "digest")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	uppers, err := Uppers(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Prune(uppers, 2); err != nil {
		t.Fatal(err)
	}
	left, err := Uppers(dir)
	if err != nil || len(left) != 2 || left[0].Number != 4 {
		t.Errorf("%+v, %v, want numbers 4 and 5", left, err)
	}
}
