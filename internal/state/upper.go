package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// An Upper is one directory of state/etc: where the changes of /etc of one boot
// or one switch went, and which image they lie on.
type Upper struct {
	Number    int    // counts up; the highest is the newest
	Directory string // has upper, work and image
	Image     string // fs-verity digest of the etc image below; empty when unknown
}

// Upper is the overlay's upper directory.
func (u Upper) Upper() string { return filepath.Join(u.Directory, "upper") }

// Work is the overlay's work directory.
func (u Upper) Work() string { return filepath.Join(u.Directory, "work") }

// partial marks an upper that is not carried completely: after a crash it is
// rubbish.
const partial = ".partial"

// Uppers returns the complete uppers in dir, the oldest first. A missing dir has
// none.
func Uppers(dir string) ([]Upper, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the uppers of /etc: %w", err)
	}
	var uppers []Upper
	for _, entry := range entries {
		number, ok := upperNumber(entry.Name())
		if !ok || !entry.IsDir() {
			continue
		}
		u := Upper{Number: number, Directory: filepath.Join(dir, entry.Name())}
		if image, err := os.ReadFile(filepath.Join(u.Directory, "image")); err == nil {
			u.Image = strings.TrimSpace(string(image))
		}
		uppers = append(uppers, u)
	}
	slices.SortFunc(uppers, func(a, b Upper) int { return a.Number - b.Number })
	return uppers, nil
}

func upperNumber(name string) (int, bool) {
	number, err := strconv.Atoi(name)
	return number, err == nil && number > 0 && strconv.Itoa(number) == name
}

// NextUpper is the number of the upper that follows after the existing ones.
func NextUpper(existing []Upper) int {
	if len(existing) == 0 {
		return 1
	}
	return existing[len(existing)-1].Number + 1
}

// Begin makes the upper that follows after the existing ones, on the etc image
// with the given digest. It does not count before [Upper.Finish]; what an
// unfinished one left behind is removed.
func Begin(dir string, existing []Upper, image string) (Upper, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Upper{}, fmt.Errorf("make an upper for /etc: %w", err)
	}
	leftovers, err := filepath.Glob(filepath.Join(dir, "*"+partial))
	if err != nil {
		return Upper{}, fmt.Errorf("make an upper for /etc: %w", err)
	}
	for _, leftover := range leftovers {
		if err := os.RemoveAll(leftover); err != nil {
			return Upper{}, fmt.Errorf("remove an unfinished upper of /etc: %w", err)
		}
	}
	u := Upper{Number: NextUpper(existing), Image: image}
	u.Directory = filepath.Join(dir, strconv.Itoa(u.Number)+partial)
	for _, directory := range []string{u.Directory, u.Upper(), u.Work()} {
		if err := os.Mkdir(directory, 0o755); err != nil {
			return Upper{}, fmt.Errorf("make an upper for /etc: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(u.Directory, "image"), []byte(image+"\n"), 0o644); err != nil {
		return Upper{}, fmt.Errorf("make an upper for /etc: %w", err)
	}
	return u, nil
}

// Finish makes u the newest upper, after writing out the whole file system it is
// on: a crash leaves all of it or nothing. An overlay that is mounted on u
// meanwhile does not mind.
func (u Upper) Finish() (Upper, error) {
	if err := syncFileSystem(u.Directory); err != nil {
		return u, err
	}
	final := strings.TrimSuffix(u.Directory, partial)
	if err := os.Rename(u.Directory, final); err != nil {
		return u, fmt.Errorf("finish the upper of /etc: %w", err)
	}
	u.Directory = final
	return u, nil
}

// Prune removes the oldest of uppers so that keep of them stay.
func Prune(uppers []Upper, keep int) error {
	for len(uppers) > keep {
		if err := os.RemoveAll(uppers[0].Directory); err != nil {
			return fmt.Errorf("remove an old upper of /etc: %w", err)
		}
		uppers = uppers[1:]
	}
	return nil
}
