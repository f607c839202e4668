package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/verity"
)

// ESP is what of ours is on the ESP, and how much room there is.
type ESP struct {
	Entries  []File
	Blobs    map[string]Blob  // kernels and initrds, by path
	Leftover map[string]int64 // hidden files of writes that were interrupted: path to size
	Needed   map[string]bool  // what entries of others name, by path
	Free     int64
	Cluster  int64 // files take multiples of it
}

// File is the file of one entry.
type File struct {
	Name
	Text string
}

// Blob is a kernel or initrd.
type Blob struct {
	Size  int64
	Whole bool // its content is what its name says: a rename on FAT survives no power cut for sure
}

// path is where an entry's file is, from the root of the ESP.
func (f File) path() string { return entryPath(f.Name) }

func entryPath(n Name) string { return path.Join(EntriesDir, n.String()) }

// Read looks at the ESP mounted at dir. Its kernels and initrds are hashed.
func Read(dir string) (ESP, error) { return read(dir, hashFile) }

// Look is Read without hashing, for who only wants to know what is there: no blob
// counts as whole.
func Look(dir string) (ESP, error) {
	return read(dir, func(name string) (verity.Digest, int64, error) {
		info, err := os.Lstat(name)
		if err != nil {
			return verity.Digest{}, 0, err
		}
		return verity.Digest{}, info.Size(), nil
	})
}

func read(dir string, blob func(name string) (verity.Digest, int64, error)) (ESP, error) {
	e := ESP{Blobs: map[string]Blob{}, Leftover: map[string]int64{}, Needed: map[string]bool{}}
	if err := errors.Join(e.readEntries(dir), e.readBlobs(dir, blob)); err != nil {
		return e, fmt.Errorf("read the ESP: %w", err)
	}
	var space unix.Statfs_t
	if err := unix.Statfs(dir, &space); err != nil {
		return e, fmt.Errorf("read the ESP: %s: %w", dir, err)
	}
	e.Free, e.Cluster = int64(space.Bavail)*space.Bsize, space.Bsize
	return e, nil
}

func (e *ESP) readEntries(dir string) error {
	names, err := readNames(filepath.Join(dir, EntriesDir))
	if err != nil {
		return err
	}
	for _, name := range names {
		at := path.Join(EntriesDir, name)
		if n, ok := ParseName(strings.TrimPrefix(name, ".")); ok && strings.HasPrefix(name, ".") {
			e.leave(dir, path.Join(EntriesDir, "."+n.String()))
			continue
		}
		if !strings.HasSuffix(name, ".conf") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, at))
		if err != nil {
			return err
		}
		if n, ok := ParseName(name); ok {
			e.Entries = append(e.Entries, File{n, string(text)})
			continue
		}
		for named := range files(string(text)) {
			e.Needed[named] = true
		}
	}
	return nil
}

// blobName is how a kernel or initrd of ours is called.
var blobName = regexp.MustCompile(`^(?:kernel|initrd)-([0-9a-f]{32})$`)

func (e *ESP) readBlobs(dir string, read func(name string) (verity.Digest, int64, error)) error {
	names, err := readNames(filepath.Join(dir, BlobsDir))
	if err != nil {
		return err
	}
	for _, name := range names {
		at := path.Join(BlobsDir, name)
		if blobName.MatchString(strings.TrimPrefix(name, ".")) && strings.HasPrefix(name, ".") {
			e.leave(dir, at)
			continue
		}
		found := blobName.FindStringSubmatch(name)
		if found == nil {
			continue
		}
		digest, size, err := read(filepath.Join(dir, at))
		if err != nil && !errors.Is(err, unix.EIO) {
			return err
		}
		e.Blobs[at] = Blob{size, err == nil && digest.String()[:digestDigits] == found[1]}
	}
	return nil
}

func (e *ESP) leave(dir, at string) {
	if info, err := os.Lstat(filepath.Join(dir, at)); err == nil {
		e.Leftover[at] = info.Size()
	}
}

// readNames lists a directory; one that is not there has nothing.
func readNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

func hashFile(name string) (verity.Digest, int64, error) {
	file, err := os.Open(name)
	if err != nil {
		return verity.Digest{}, 0, err
	}
	defer file.Close()
	hash := verity.NewHash()
	_, err = io.Copy(hash, file)
	return hash.Sum(), hash.Size(), err
}

// files gives the paths that an entry names, from the root of the ESP.
func files(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			if key != "linux" && key != "initrd" {
				continue
			}
			if !yield(strings.TrimPrefix(path.Clean("/"+strings.TrimSpace(value)), "/")) {
				return
			}
		}
	}
}

// systemOf gives the system that an entry starts; "" when it is not whole
// enough to tell.
func systemOf(text string) string {
	for line := range strings.Lines(text) {
		options, ok := strings.CutPrefix(line, "options ")
		if !ok || !strings.HasSuffix(line, "\n") {
			continue
		}
		for option := range strings.FieldsSeq(options) {
			if system, ok := strings.CutPrefix(option, "stet.system="); ok {
				if _, err := verity.ParseDigest(system); err == nil {
					return system
				}
			}
		}
	}
	return ""
}

// Numbers are the generations that have entries.
func (e ESP) Numbers() []int {
	var all []int
	for _, f := range e.Entries {
		all = append(all, f.Generation)
	}
	return all
}

// Default is the generation whose entry the boot loader takes next: the newest
// that it has not given up, else the newest. 0 when there is none.
func (e ESP) Default() int {
	best, bad := 0, true
	for _, f := range e.Entries {
		if best == 0 || bad && !f.Bad() || bad == f.Bad() && f.Generation > best {
			best, bad = f.Generation, f.Bad()
		}
	}
	return best
}

// GivenUp are the generations whose entries have no tries left.
func (e ESP) GivenUp() map[int]bool {
	given := map[int]bool{}
	for _, f := range e.Entries {
		if was, known := given[f.Generation]; !known || was {
			given[f.Generation] = f.Bad()
		}
	}
	for n, up := range given {
		if !up {
			delete(given, n)
		}
	}
	return given
}
