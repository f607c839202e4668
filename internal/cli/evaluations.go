package cli

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"

	"stet/internal/buildid"
)

// evaluations remembers, beside the store, what configurations came to. It is a
// config.Memory: what it cannot read or write is evaluated.
type evaluations struct {
	dir   string
	stamp string // of the program: edited code never recalls what older code made
}

// mostEvaluations is how many are kept, of all repositories.
const mostEvaluations = 512

// evaluations are those beside the store, or nil when there is no store yet.
func (a *app) evaluations() *evaluations {
	store, err := a.storeDir()
	if err != nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(store, "format.json")); err != nil {
		return nil
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil
	}
	defer self.Close()
	stamp, err := buildid.Read(self)
	if err != nil {
		return nil
	}
	return &evaluations{filepath.Join(store, "evaluated"), stamp}
}

func (e *evaluations) path(key string) string {
	sum := sha256.New()
	sum.Write([]byte(e.stamp))
	sum.Write([]byte(key))
	return filepath.Join(e.dir, hex.EncodeToString(sum.Sum(nil)))
}

// Get implements config.Memory.
func (e *evaluations) Get(key string) ([]byte, bool) {
	value, err := os.ReadFile(e.path(key))
	return value, err == nil
}

// Put implements config.Memory.
func (e *evaluations) Put(key string, value []byte) {
	if os.MkdirAll(e.dir, 0o700) != nil {
		return
	}
	temp, err := os.CreateTemp(e.dir, ".new-*")
	if err != nil {
		return
	}
	_, err = temp.Write(value)
	if temp.Close() != nil || err != nil || os.Rename(temp.Name(), e.path(key)) != nil {
		os.Remove(temp.Name())
		return
	}
	e.prune()
}

// prune forgets the oldest, and what killed processes left.
func (e *evaluations) prune() {
	entries, err := os.ReadDir(e.dir)
	if err != nil || len(entries) <= mostEvaluations {
		return
	}
	type kept struct {
		name string
		made int64
	}
	var all []kept
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil {
			all = append(all, kept{entry.Name(), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(a.made, b.made) })
	for _, old := range all[:len(all)-mostEvaluations*3/4] {
		os.Remove(filepath.Join(e.dir, old.name))
	}
}
