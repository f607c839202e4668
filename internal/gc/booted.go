package gc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"stet/internal/store"
)

// booted gives the states of machines that have booted, for `stet test`, that
// nobody can begin in any more: their system goes, they were not used for long, or
// they were never finished. A state is one directory, which goes whole.
func booted(dir string, policy Policy, needed func(system string) bool) ([]Aged, error) {
	places, err := filepath.Glob(filepath.Join(dir, store.Booted, "*"))
	if err != nil {
		return nil, err
	}
	var all []Aged
	for _, place := range places {
		record := filepath.Join(place, "state.json")
		text, err := os.ReadFile(record)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("look through the store: %w", err)
		}
		stays := false
		for _, digest := range digestText.FindAllString(string(text), -1) {
			stays = stays || needed(digest)
		}
		if info, err := os.Stat(record); stays && err == nil && !policy.old(info.ModTime()) {
			continue
		}
		size, err := space(place)
		if err != nil {
			return nil, err
		}
		all = append(all, Aged{filepath.Join(store.Booted, filepath.Base(place)), size})
	}
	return all, nil
}

// space is what removing the files of a state makes free: not those that have
// another name, such as the disk.
func space(place string) (bytes int64, err error) {
	entries, err := os.ReadDir(place)
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // somebody removed it
		}
		if file, ok := info.Sys().(*syscall.Stat_t); ok && file.Nlink == 1 {
			bytes += file.Blocks * 512
		}
	}
	return bytes, err
}
