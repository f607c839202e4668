package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Scratch makes a second store inside this one, for work that must not find
// what was made before: it has the contents, the trees, the fetched packages
// and what the named stages remember, and else it is empty. What is put into it
// as a content or a tree is in this store too. Its path is an unusual one, so
// that no program's output comes to depend on it unseen. The caller removes it
// and does not close this store before.
func (s *Store) Scratch(stages ...string) (dir string, err error) {
	if dir, err = s.TempDir("scratch é (2)"); err != nil {
		return "", err
	}
	shared := []string{"objects", "trees", "mirror"}
	for _, stage := range stages {
		shared = append(shared, filepath.Join("memo", stage))
	}
	err = os.Mkdir(filepath.Join(dir, "memo"), 0o700)
	for _, name := range shared {
		if _, statErr := os.Stat(filepath.Join(s.dir, name)); errors.Is(statErr, fs.ErrNotExist) {
			continue
		}
		err = errors.Join(err, os.Symlink(filepath.Join(s.dir, name), filepath.Join(dir, name)))
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("make a second store: %w", err)
	}
	return dir, nil
}
