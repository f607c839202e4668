package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// TestWritersOfOneFile lets many write the same file at the same time: each waits,
// none meets another's bytes, and nothing hidden is left.
func TestWritersOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), ".image.new"), []byte("what a killed one left"), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			want := fmt.Sprintf("writer %02d", i)
			err := whole(path, 32, func(file *os.File) error {
				before := make([]byte, 32)
				if _, err := file.ReadAt(before, 0); err != nil || string(before) != string(make([]byte, 32)) {
					return fmt.Errorf("the file is not empty: %q, %w", before, err)
				}
				if i%5 == 4 {
					return errGivesUp
				}
				_, err := file.WriteAt([]byte(want), 0)
				return err
			})
			if err != nil && (i%5 != 4 || !errors.Is(err, errGivesUp)) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 || names[0].Name() != "image" {
		t.Errorf("there are %v, %v", names, err)
	}
	if text, err := os.ReadFile(path); err != nil || len(text) != 32 || string(text[:7]) != "writer " {
		t.Errorf("the file is %q, %v", text, err)
	}
}

var errGivesUp = errors.New("it gives up")
