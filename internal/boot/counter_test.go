package boot

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// TestTakingTheCounter goes through the spellings that an entry can have when a
// generation turns out to be good; each must end as the plain one, and stay so
// when it is asked for again in the same boot.
func TestTakingTheCounter(t *testing.T) {
	for _, c := range []struct {
		name        string
		there, want []string
	}{
		{"first try", []string{"stet-7+2-1.conf"}, []string{"stet-7.conf"}},
		{"last try", []string{"stet-7+0-3.conf"}, []string{"stet-7.conf"}},
		{"before any try", []string{"stet-7+3.conf"}, []string{"stet-7.conf"}},
		{"good already", []string{"stet-7.conf"}, []string{"stet-7.conf"}},
		{"a plain and a counted one", []string{"stet-7.conf", "stet-7+2-1.conf"}, []string{"stet-7.conf"}},
		{"two counted ones", []string{"stet-7+3.conf", "stet-7+2-1.conf"}, []string{"stet-7.conf"}},
		{"none", nil, nil},
		{"others stay as they are", []string{"stet-6.conf", "stet-7+2-1.conf", "stet-8+3.conf", "stet-70+1-2.conf"},
			[]string{"stet-6.conf", "stet-7.conf", "stet-70+1-2.conf", "stet-8+3.conf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newESP(t)
			for _, name := range c.there {
				e.file(filepath.Join(EntriesDir, name), string(want(7, 0).Text()))
			}
			for range 2 {
				if err := TakeCounter(e.dir, 7); err != nil {
					t.Fatal(err)
				}
				if got := e.entries(); !slices.Equal(got, c.want) {
					t.Errorf("there are %v, want %v", got, c.want)
				}
			}
			if len(c.there) > 0 {
				if text, err := os.ReadFile(filepath.Join(e.dir, EntriesDir, "stet-7.conf")); err != nil || string(text) != string(want(7, 0).Text()) {
					t.Errorf("the entry has another text: %v", err)
				}
			}
		})
	}
}

// TestTakingTheCounterBesideBlessBoot lets two take it at the same time, as
// systemd-bless-boot.service and Stet's own unit do.
func TestTakingTheCounterBesideBlessBoot(t *testing.T) {
	for range 200 {
		e := newESP(t)
		e.file(EntriesDir+"/stet-7+2-1.conf", string(want(7, 0).Text()))
		var both sync.WaitGroup
		both.Go(func() {
			_ = os.Rename(filepath.Join(e.dir, EntriesDir, "stet-7+2-1.conf"), filepath.Join(e.dir, EntriesDir, "stet-7.conf"))
		})
		both.Go(func() {
			if err := TakeCounter(e.dir, 7); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		if got := e.entries(); !slices.Equal(got, []string{"stet-7.conf"}) {
			t.Fatalf("there are %v", got)
		}
	}
}

func TestNoESP(t *testing.T) {
	if err := TakeCounter(filepath.Join(t.TempDir(), "none"), 7); err != nil {
		t.Errorf("without an ESP: %v", err)
	}
}
