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

// Read looks at the ESP mounted at dir. Its kernels and initrds are hashed, which takes
// seconds, but those that the generation booted has started this machine with; 0 is none.
func Read(dir string, booted int) (ESP, error) {
	return read(dir, func(e ESP, at string) (Blob, error) {
		if e.names(booted, at) {
			return measure(dir, at, true)
		}
		return hash(dir, at)
	})
}

// Look is Read without hashing, for who only wants to know what is there: no blob
// counts as whole.
func Look(dir string) (ESP, error) {
	return read(dir, func(_ ESP, at string) (Blob, error) { return measure(dir, at, false) })
}

// read finds what there is. Whether a blob is whole is the other's to say, who is given
// the entries.
func read(dir string, blob func(e ESP, at string) (Blob, error)) (ESP, error) {
	e := ESP{Blobs: map[string]Blob{}, Leftover: map[string]int64{}, Needed: map[string]bool{}}
	err := e.readEntries(dir)
	if err == nil {
		err = e.readBlobs(dir, func(at string) (Blob, error) { return blob(e, at) })
	}
	if err != nil {
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

func (e *ESP) readBlobs(dir string, read func(at string) (Blob, error)) error {
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
		if !blobName.MatchString(name) {
			continue
		}
		if e.Blobs[at], err = read(at); err != nil {
			return err
		}
	}
	return nil
}

// names reports whether the entry of a generation names a blob.
func (e *ESP) names(generation int, at string) bool {
	for _, f := range e.Entries {
		if f.Generation != generation {
			continue
		}
		for name := range files(f.Text) {
			if name == at {
				return true
			}
		}
	}
	return false
}

// measure gives a blob of which the content is not read.
func measure(dir, at string, whole bool) (Blob, error) {
	info, err := os.Lstat(filepath.Join(dir, at))
	if err != nil {
		return Blob{}, err
	}
	return Blob{info.Size(), whole}, nil
}

// hash gives a blob that is whole when its content is what its name says. One that the
// disk cannot read is not.
func hash(dir, at string) (Blob, error) {
	file, err := os.Open(filepath.Join(dir, at))
	if err != nil {
		return Blob{}, err
	}
	defer file.Close()
	hash := verity.NewHash()
	_, err = io.Copy(hash, file)
	if err != nil && !errors.Is(err, unix.EIO) {
		return Blob{}, err
	}
	said := blobName.FindStringSubmatch(path.Base(at))[1]
	return Blob{hash.Size(), err == nil && hash.Sum().String()[:digestDigits] == said}, nil
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
