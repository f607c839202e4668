package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// branch is what a repository that comes out of a bundle is on: a bundle has a
// commit and no name for it.
const branch = "main"

// Clone makes a repository of a bundle in dir, which must not exist. It is there
// whole or not at all.
func Clone(ctx context.Context, bundle, dir string) error {
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make a repository in %s: it is there already", dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make a repository in %s: %w", dir, err)
	}
	hidden, err := os.MkdirTemp(filepath.Dir(dir), ".repository-*")
	if err != nil {
		return fmt.Errorf("make a repository in %s: %w", dir, err)
	}
	defer os.RemoveAll(hidden)
	for _, args := range [][]string{
		{"clone", "--quiet", bundle, "."},
		{"rev-parse", "--quiet", "--verify", "HEAD"}, // git clones a bundle of nothing, too
		{"checkout", "--quiet", "-B", branch},
		{"remote", "remove", "origin"},
	} {
		if _, err := git(ctx, hidden, args...); err != nil {
			return err
		}
	}
	if err := os.Chmod(hidden, 0o755); err != nil { // as git makes it, and not as a temporary one
		return err
	}
	return os.Rename(hidden, dir)
}

// How says what became of a repository.
type How string

// What can become of it.
const (
	Made    How = "made"
	Moved   How = "brought forward"
	Already How = "already there"
)

// Advance brings the repository in dir to a commit that the bundle has, or makes
// it. What a person has changed there is never lost: a repository with changes, or
// with commits of its own, is left as it is, with an error that says so.
func Advance(ctx context.Context, dir, bundle, commit string) (How, error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return Made, Clone(ctx, bundle, dir)
	}
	now, err := Describe(ctx, dir)
	switch {
	case err != nil:
		return "", err
	case now.ID == commit:
		return Already, nil
	case now.Dirty:
		return "", errors.New("it has changes that are in no commit")
	}
	if _, err := git(ctx, dir, "fetch", "--quiet", bundle, "HEAD"); err != nil {
		return "", err
	}
	base, err := git(ctx, dir, "merge-base", "HEAD", commit)
	if err != nil || strings.TrimSpace(string(base)) != now.ID {
		return "", errors.New("it has commits of its own")
	}
	_, err = git(ctx, dir, "merge", "--quiet", "--ff-only", commit)
	return Moved, err
}
