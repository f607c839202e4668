package gc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"stet/internal/census"
	"stet/internal/fault"
	"stet/internal/state"
)

// Aged is a file of a build host that goes for its age, or a directory with the
// state of a machine that nobody can begin in any more.
type Aged struct {
	Path string // in the store
	Size int64
}

// agedDirectories have what a build host can make or fetch again. What a build
// uses is younger than the day before: the store touches it.
var agedDirectories = []string{"roots", "inputs", "memo", "mirror/debs", "mirror/indices"}

// aged gives what is old enough to go.
func aged(dir string, policy Policy) ([]Aged, error) {
	var all []Aged
	if policy.OlderThan == 0 {
		return nil, nil
	}
	err := walk(dir, agedDirectories, func(name string, info fs.FileInfo) error {
		if policy.old(info.ModTime()) {
			all = append(all, Aged{name, info.Size()})
		}
		return nil
	})
	return all, err
}

// walk visits the files below some directories of the store; those that are not
// there have none.
func walk(dir string, names []string, visit func(name string, info fs.FileInfo) error) error {
	for _, name := range names {
		err := filepath.WalkDir(filepath.Join(dir, name), func(at string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			relative, err := filepath.Rel(dir, at)
			if err != nil {
				return err
			}
			return visit(relative, info)
		})
		if err != nil {
			return fmt.Errorf("look through the store: %w", err)
		}
	}
	return nil
}

// digestText is a digest in a memo: of what kind it is, the memo does not say.
var digestText = regexp.MustCompile(`\b[0-9a-f]{64}\b`)

// remembered is what builds and memos keep that do not go.
func remembered(dir string, gone []Aged) (census.Claim, error) {
	var claim census.Claim
	goes := map[string]bool{}
	for _, a := range gone {
		goes[a.Path] = true
	}
	seen := map[string]bool{}
	err := walk(dir, []string{"roots", "memo"}, func(name string, _ fs.FileInfo) error {
		if goes[name] {
			return nil
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		for _, digest := range digestText.FindAllString(string(text), -1) {
			if !seen[digest] {
				seen[digest] = true
				claim.Names = append(claim.Names, digest)
			}
		}
		return nil
	})
	return claim, err
}

func removeAged(dir string, all []Aged) error {
	for _, a := range all {
		if err := os.RemoveAll(filepath.Join(dir, a.Path)); err != nil {
			return fmt.Errorf("remove what is old: %w", err)
		}
		fault.Reach(fault.AgedRemoved)
	}
	return nil
}

// etcDirectory is where a machine keeps the uppers of /etc.
func (m Machine) etcDirectory() string { return filepath.Join(m.Store.Dir(), "state", "etc") }

// uppers are the saved uppers of /etc that are old enough to go: never a mounted
// one, and never the newest, from which the next boot carries.
func (m Machine) uppers(policy Policy) ([]int, error) {
	all, err := state.Uppers(m.etcDirectory())
	if err != nil || policy.OlderThan == 0 {
		return nil, err
	}
	var gone []int
	for _, u := range all[:max(0, len(all)-1)] {
		info, err := os.Stat(filepath.Join(u.Directory, "image"))
		if err == nil && policy.old(info.ModTime()) && !m.Use.Uppers[strconv.Itoa(u.Number)] {
			gone = append(gone, u.Number)
		}
	}
	return gone, nil
}

func (m Machine) removeUppers(numbers []int) error {
	all, err := state.Uppers(m.etcDirectory())
	if err != nil {
		return err
	}
	for _, u := range all {
		if !slices.Contains(numbers, u.Number) {
			continue
		}
		if err := state.Prune([]state.Upper{u}, 0); err != nil {
			return err
		}
		fault.Reach(fault.UpperRemoved)
	}
	return nil
}
