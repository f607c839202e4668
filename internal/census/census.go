package census

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// StatusFile is where a system's usr tree has dpkg's list of packages.
const StatusFile = "/lib/sysimage/dpkg/status"

// Claim is what one owner keeps.
type Claim struct {
	Systems []string
	Objects []verity.Digest // beside those of the systems
	// Names are digests of whatever it may be: a memo does not say. What is not
	// in the store is nothing.
	Names []string
}

// Census is the result of counting.
type Census struct {
	// Errs says of each claim what of it cannot be followed. What it needs is
	// then not known.
	Errs []error

	store  *store.Store
	names  [4]map[string]uint32 // by kind: digest to item
	items  []item
	claims [][]uint32 // what each needs, each once
	status map[string]verity.Digest
}

// item is one file of the store that somebody needs.
type item struct {
	size   int64
	claims int32
}

// kinds numbers the kinds of the store.
var kinds = [4]store.Kind{store.Systems, store.Images, store.Trees, store.Objects}

const (
	systems = iota
	images
	trees
	objects
)

// Take counts what the claims need. A claim that cannot be followed has its
// error in the census, and the others are counted.
func Take(ctx context.Context, s *store.Store, claims []Claim) (*Census, error) {
	t := taker{
		Census: &Census{store: s, Errs: make([]error, len(claims)), status: map[string]verity.Digest{}},
		trees:  map[string]*treeNeeds{}, manifests: map[string]*manifestNeeds{},
	}
	for k := range t.names {
		t.names[k] = map[string]uint32{}
	}
	for _, c := range claims {
		t.resolve(c)
	}
	if err := t.readTrees(ctx); err != nil {
		return nil, err
	}
	for i, c := range claims {
		t.Errs[i] = t.count(int32(i), c)
	}
	return t.Census, nil
}

// taker is a census in the making.
type taker struct {
	*Census
	manifests map[string]*manifestNeeds
	trees     map[string]*treeNeeds
	stamps    []int32 // by item: the last claim that was seen to need it, plus one
}

type manifestNeeds struct {
	manifest *system.Manifest
	size     int64
	err      error
}

type treeNeeds struct {
	items []uint32
	size  int64
	err   error
}

// resolve finds out which manifests and trees must be read.
func (t *taker) resolve(c Claim) {
	for _, digest := range c.Systems {
		t.readManifest(digest)
	}
	for _, name := range c.Names {
		if _, err := t.store.Size(store.Systems, name); err == nil {
			t.readManifest(name)
		} else if _, err := t.store.Size(store.Trees, name); err == nil {
			t.trees[name] = &treeNeeds{}
		}
	}
}

func (t *taker) readManifest(digest string) {
	if _, known := t.manifests[digest]; known {
		return
	}
	needs := &manifestNeeds{}
	t.manifests[digest] = needs
	text, err := t.store.System(digest)
	if err == nil {
		needs.size = int64(len(text))
		needs.manifest, err = system.ParseManifest(text)
	}
	if err != nil {
		needs.err = err
		return
	}
	for _, digest := range needs.manifest.Trees {
		if t.trees[digest] == nil {
			t.trees[digest] = &treeNeeds{}
		}
	}
}

// readTrees reads every tree once, and gives each object a number.
func (t *taker) readTrees(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	byDigest := map[verity.Digest]uint32{}
	for digest, needs := range t.trees {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			contents, size, status, err := readTree(t.store, digest)
			needs.size, needs.err = size, err
			mu.Lock()
			defer mu.Unlock()
			if !status.IsZero() {
				t.status[digest] = status
			}
			needs.items = make([]uint32, len(contents))
			for i, c := range contents {
				number, known := byDigest[c.Digest]
				if !known {
					number = uint32(len(t.items))
					byDigest[c.Digest] = number
					t.items = append(t.items, item{size: c.Size})
				}
				needs.items[i] = number
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for digest, number := range byDigest {
		t.names[objects][digest.String()] = number
	}
	t.stamps = make([]int32, len(t.items))
	return nil
}

func readTree(s *store.Store, digest string) (contents []store.Object, size int64, status verity.Digest, err error) {
	text, err := s.TreeText(digest)
	if err != nil {
		return nil, 0, status, err
	}
	for c, err := range tree.Contents(text) {
		if err != nil {
			return nil, 0, status, fmt.Errorf("read tree %s: %w", digest, err)
		}
		if string(c.Path) == StatusFile {
			status = c.Digest
		}
		contents = append(contents, store.Object{Digest: c.Digest, Size: c.Size})
	}
	return contents, int64(len(text)), status, nil
}

// tally adds up one claim.
type tally struct {
	*taker
	claim int32
	needs []uint32
	errs  []error
}

func (t *taker) count(claim int32, c Claim) error {
	sum := tally{taker: t, claim: claim}
	for _, digest := range c.Systems {
		sum.system(digest)
	}
	for _, d := range c.Objects {
		if !d.IsZero() {
			sum.file(objects, d.String(), unknown)
		}
	}
	for _, name := range c.Names {
		switch {
		case t.manifests[name] != nil:
			sum.system(name)
		case t.trees[name] != nil:
			sum.tree(name)
		default:
			sum.file(images, name, unknown)
			sum.file(objects, name, unknown)
		}
	}
	t.claims = append(t.claims, sum.needs)
	return errors.Join(sum.errs...)
}

func (t *tally) system(digest string) {
	needs := t.manifests[digest]
	t.file(systems, digest, needs.size)
	if needs.err != nil {
		t.errs = append(t.errs, needs.err)
		return
	}
	t.file(objects, needs.manifest.Kernel.String(), unknown)
	t.file(objects, needs.manifest.Initrd.String(), unknown)
	for _, digest := range needs.manifest.Trees {
		t.tree(digest)
	}
	for _, d := range needs.manifest.Images {
		t.file(images, d.String(), unknown)
	}
}

func (t *tally) tree(digest string) {
	needs := t.trees[digest]
	t.errs = append(t.errs, needs.err)
	t.file(trees, digest, needs.size)
	for _, number := range needs.items {
		t.item(number)
	}
}

// unknown is the size of a file that must be asked for.
const unknown = -1

func (t *tally) file(k int, digest string, size int64) {
	number, known := t.names[k][digest]
	if !known {
		if size == unknown {
			size, _ = t.store.Size(kinds[k], digest) // what is not there takes nothing
		}
		number = uint32(len(t.items))
		t.names[k][digest] = number
		t.items = append(t.items, item{size: size})
		t.stamps = append(t.stamps, 0)
	}
	t.item(number)
}

func (t *tally) item(number uint32) {
	if t.stamps[number] == t.claim+1 {
		return
	}
	t.stamps[number] = t.claim + 1
	t.needs = append(t.needs, number)
	t.items[number].claims++
}

// Sizes gives how many bytes a claim keeps alone, and how many together with
// others.
func (c *Census) Sizes(claim int) (alone, shared int64) {
	for _, number := range c.claims[claim] {
		if c.items[number].claims == 1 {
			alone += c.items[number].size
		} else {
			shared += c.items[number].size
		}
	}
	return alone, shared
}

// Drop takes a claim away, and gives how many bytes nobody needs any more.
func (c *Census) Drop(claim int) (freed int64) {
	for _, number := range c.claims[claim] {
		c.items[number].claims--
		if c.items[number].claims == 0 {
			freed += c.items[number].size
		}
	}
	c.claims[claim] = nil
	return freed
}

// Needed reports whether a claim that was not dropped needs something.
func (c *Census) Needed(k store.Kind, digest string) bool {
	for i, kind := range kinds {
		if kind == k {
			number, known := c.names[i][digest]
			return known && c.items[number].claims > 0
		}
	}
	return false
}

// Objects is how many objects are needed.
func (c *Census) Objects() int { return len(c.names[objects]) }

// Status is the object that is dpkg's list of packages of a system; zero when
// it has none.
func (c *Census) Status(m *system.Manifest) verity.Digest { return c.status[m.Trees["usr"]] }
