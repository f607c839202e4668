package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// LoaderConf is the configuration of the boot loader. It never changes: the order
// of entries decides what boots.
const LoaderConf = "timeout 3\n"

// EntryKinds says of which type the entries are.
const EntryKinds = "type1\n"

// Paths on the ESP of what is written once.
const (
	LoaderConfPath = "loader/loader.conf"
	EntryKindsPath = "loader/entries.srel"
)

// LoaderPaths are where the firmware looks for the boot loader: in the place of
// systemd-boot, and in that of a disk of which the firmware knows nothing.
func LoaderPaths() []string {
	return []string{"EFI/BOOT/BOOTX64.EFI", "EFI/systemd/systemd-bootx64.efi"}
}

// Content is a file that the firmware or the boot loader may read.
type Content struct {
	Path  string  // from the root of the ESP
	Known bool    // Stet puts it there, or a part of the boot loader that its package has
	Text  *string // of files that are read; nil of those that are not there
	Want  *string // what Stet writes there; nil where that depends on more than the path
}

// Contents lists what is below EFI and loader on the ESP mounted at dir, and what
// has to be there and is not. Of what Stet does not know, only the topmost directory
// is listed. Names on FAT are the same in capitals and small letters.
func Contents(dir string) ([]Content, error) {
	l := &listing{dir: dir, there: map[string]bool{}}
	for _, top := range []string{"EFI", "loader"} {
		if err := l.directory(top); err != nil {
			return nil, fmt.Errorf("look at the ESP: %w", err)
		}
	}
	for _, name := range append(LoaderPaths(), LoaderConfPath, EntryKindsPath) {
		if !l.there[strings.ToLower(name)] {
			l.all = append(l.all, Content{Path: name, Known: true, Want: written(name)})
		}
	}
	return l.all, nil
}

type listing struct {
	dir   string
	there map[string]bool // what is known, in small letters
	all   []Content
}

func (l *listing) directory(name string) error {
	entries, err := os.ReadDir(filepath.Join(l.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		at := path.Join(name, entry.Name())
		if entry.IsDir() && isKnownDirectory(at) {
			if err := l.directory(at); err != nil {
				return err
			}
			continue
		}
		found, err := l.file(at, entry)
		if err != nil {
			return err
		}
		l.all = append(l.all, found)
	}
	return nil
}

// isKnownDirectory reports whether Stet puts something into a directory.
func isKnownDirectory(name string) bool {
	for _, known := range append(LoaderPaths(), EntriesDir+"/x") {
		if strings.EqualFold(path.Dir(known), name) {
			return true
		}
	}
	return false
}

func (l *listing) file(name string, entry fs.DirEntry) (Content, error) {
	found := Content{Path: name}
	if entry.IsDir() {
		return found, nil
	}
	found.Want = written(name)
	found.Known = found.Want != nil
	for _, known := range LoaderPaths() {
		if strings.EqualFold(known, name) {
			nothing := ""
			found.Known, found.Text = true, &nothing // its bytes are its package's, and the firmware's to check
			l.there[strings.ToLower(name)] = true
			return found, nil
		}
	}
	if _, entry := ParseName(strings.TrimPrefix(path.Base(name), ".")); entry && strings.EqualFold(path.Dir(name), EntriesDir) {
		found.Known = true
	}
	if !found.Known {
		return found, nil
	}
	l.there[strings.ToLower(name)] = true
	text, err := readSmall(filepath.Join(l.dir, name))
	found.Text = &text
	return found, err
}

// written is the text of a file that is written once; nil for any other.
func written(name string) *string {
	for known, text := range map[string]string{LoaderConfPath: LoaderConf, EntryKindsPath: EntryKinds} {
		if strings.EqualFold(known, name) {
			return &text
		}
	}
	return nil
}

// largestRead is more than any file has that Stet writes for the boot loader to
// read as text.
const largestRead = 64 << 10

func readSmall(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, largestRead))
	return string(text), err
}
