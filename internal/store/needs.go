package store

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"stet/internal/verity"
)

// manifestFormat is the format of the manifests that this package can follow;
// docs/formats/manifest.md describes it.
const manifestFormat = 1

// Needs names all that a system needs of the store beside its manifest, each
// once and sorted.
type Needs struct {
	Trees          []string
	Images         []verity.Digest
	Kernel, Initrd verity.Digest // objects, of which no tree has the initrd
	Objects        []Object      // of all trees
}

// Object is one content, and how many bytes it has.
type Object struct {
	Digest verity.Digest
	Size   int64
}

// manifest is what this package has to know of a system's.
type manifest struct {
	Format         int
	Trees          map[string]string
	Images         map[string]verity.Digest
	Kernel, Initrd verity.Digest
}

func (s *Store) readManifest(system string) (*manifest, error) {
	text, err := s.System(system)
	if err != nil {
		return nil, err
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("read the manifest of system %s: %w", system, err)
	}
	if m.Format != manifestFormat {
		return nil, fmt.Errorf("the manifest of system %s has format %d; this Stet reads %d: use the Stet that built it", system, m.Format, manifestFormat)
	}
	return &m, nil
}

// Needs follows a system's manifest and its trees. What of those is damaged or
// missing is an error.
func (s *Store) Needs(system string) (*Needs, error) { return s.needs(system, nil) }

// needs is Needs without the objects of some trees.
func (s *Store) needs(system string, without []string) (*Needs, error) {
	manifest, err := s.readManifest(system)
	if err != nil {
		return nil, err
	}
	sizes := map[verity.Digest]int64{}
	n := &Needs{Kernel: manifest.Kernel, Initrd: manifest.Initrd}
	for _, digest := range manifest.Trees {
		n.Trees = append(n.Trees, digest)
		if slices.Contains(without, digest) {
			continue
		}
		t, err := s.Tree(digest)
		if err != nil {
			return nil, err
		}
		for e := range t.All() {
			if !e.Digest.IsZero() {
				sizes[e.Digest] = e.Size
			}
		}
	}
	for _, digest := range manifest.Images {
		n.Images = append(n.Images, digest)
	}
	for digest, size := range sizes {
		n.Objects = append(n.Objects, Object{digest, size})
	}
	slices.Sort(n.Trees)
	n.Trees = slices.Compact(n.Trees)
	slices.SortFunc(n.Images, verity.Digest.Compare)
	n.Images = slices.Compact(n.Images)
	slices.SortFunc(n.Objects, func(a, b Object) int { return a.Digest.Compare(b.Digest) })
	return n, nil
}

// Missing names what a system needs and the store has not, or not whole, as
// paths in the store: nothing, when the system can be started. A mount of an
// image succeeds without its objects, so whoever makes a system bootable asks
// first. A manifest or tree that is missing or damaged is an error.
//
// A few contents decide whether a machine comes up at all: images, kernel and
// initrd are read, unless the kernel vouches for them (fs-verity). Of the other
// objects the size alone is compared.
func (s *Store) Missing(system string) ([]string, error) { return s.MissingBeside(system, "") }

// MissingBeside is Missing of a system that is to follow another, which runs: at the
// objects of trees that both have it does not look. What of them were missing, the one
// that runs would lack already, and there are tens of thousands. Of one that runs itself
// it looks at all. "" is no system.
func (s *Store) MissingBeside(system, running string) ([]string, error) {
	var shared []string
	if running != "" && running != system {
		manifest, err := s.readManifest(running)
		if err != nil {
			return nil, err
		}
		shared = slices.Collect(maps.Values(manifest.Trees))
	}
	needs, err := s.needs(system, shared)
	if err != nil {
		return nil, err
	}
	read := map[string]verity.Digest{s.ObjectPath(needs.Kernel): needs.Kernel, s.ObjectPath(needs.Initrd): needs.Initrd}
	for _, image := range needs.Images {
		read[s.ImagePath(image)] = image
	}
	var missing []string
	for name, digest := range read {
		if CheckSealed(name, digest) != nil {
			missing = append(missing, s.relative(name))
		}
	}
	for _, d := range s.Lacking(needs.Objects) {
		if name := s.ObjectPath(d); read[name].IsZero() {
			missing = append(missing, s.relative(name))
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// AnySize is the size of an object that nobody knows.
const AnySize = -1

// Lacking gives those of some objects that the store has not, or not in their size.
// A system has tens of thousands: all processors look, each through its part.
func (s *Store) Lacking(objects []Object) (lacking []verity.Digest) {
	dir, err := os.Open(filepath.Join(s.dir, "objects"))
	if err != nil { // then it has none
		for _, o := range objects {
			lacking = append(lacking, o.Digest)
		}
		return lacking
	}
	defer dir.Close()
	parts := slices.Collect(slices.Chunk(objects, len(objects)/runtime.GOMAXPROCS(0)+1))
	found := make([][]verity.Digest, len(parts))
	var looking sync.WaitGroup
	at := int(dir.Fd())
	for i, part := range parts {
		looking.Go(func() {
			for _, o := range part {
				var stat unix.Stat_t
				err := unix.Fstatat(at, objectPath("", o.Digest), &stat, unix.AT_SYMLINK_NOFOLLOW)
				if err != nil || o.Size != AnySize && o.Size != stat.Size {
					found[i] = append(found[i], o.Digest)
				}
			}
		})
	}
	looking.Wait()
	return slices.Concat(found...)
}

func (s *Store) relative(name string) string {
	return strings.TrimPrefix(name, s.dir+string(filepath.Separator))
}

// A DamageError says that a file of the store is not what its name says.
type DamageError struct{ Name, Problem string }

// Error implements error.
func (e *DamageError) Error() string { return e.Name + " is damaged: " + e.Problem }

// CheckSealed is [Check] that reads nothing of a file whose digest the kernel knows: it
// checks each block when that is read, and gives no wrong one.
func CheckSealed(name string, want verity.Digest) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer file.Close()
	if have, err := verity.Measure(file); err == nil && have == want {
		return nil
	}
	return Check(name, want)
}

// Check reads the file called name and compares its fs-verity digest with want:
// a [DamageError] when it is another, or cannot be read.
func Check(name string, want verity.Digest) error {
	file, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer file.Close()
	hash := verity.NewHash()
	if _, err := io.Copy(hash, file); err != nil {
		return &DamageError{name, err.Error()}
	}
	if have := hash.Sum(); have != want {
		return &DamageError{name, "its content has the digest " + have.String()}
	}
	return nil
}
