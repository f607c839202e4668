package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/progress"
)

// maxIndex bounds a decompressed index; trixie's main has 57 MB.
const maxIndex = 1 << 30

func (c *Client) indexPath(sha256 string) string {
	return filepath.Join(c.cache, "indices", fmt.Sprintf("%s.v%d", sha256, catalog.Version))
}

// loadIndex reads a parsed index from the cache. Whatever is wrong with it, it
// is just not there: the archive has it.
func (c *Client) loadIndex(sha256 string) (*catalog.Catalog, bool) {
	f, err := os.Open(c.indexPath(sha256))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false
	}
	index, err := catalog.Read(f, info.Size())
	return index, err == nil
}

func (c *Client) saveIndex(sha256 string, table []byte) error {
	path := c.indexPath(sha256)
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(table); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// rereads are how often an archive is read anew that changed under our hands.
const rereads = 3

// Indices reads the Release of an archive and the indices of its components
// and architectures, the machine's own first; of a flat repository components
// are not asked. A mirror that is being updated right now is read again.
//
// Its typed errors are those of [Client.Release] and [Client.Index].
func (c *Client) Indices(ctx context.Context, archive Archive, at time.Time, components, architectures []string) (*Release, []*catalog.Catalog, error) {
	for attempt := 1; ; attempt++ {
		release, err := c.Release(ctx, archive, at)
		if err != nil {
			return nil, nil, err
		}
		indices, err := c.indices(ctx, release, components, architectures)
		var moving *HalfUpdatedError
		if err == nil || !errors.As(err, &moving) || attempt == rereads {
			return release, indices, err
		}
		c.report.Report(progress.Event{Stage: "wait for the mirror to be updated", Detail: archive.String()})
		if err := sleep(ctx, time.Duration(attempt)*c.settle); err != nil {
			return nil, nil, err
		}
	}
}

func (c *Client) indices(ctx context.Context, r *Release, components, architectures []string) ([]*catalog.Catalog, error) {
	if r.Archive.isFlat() {
		return c.flatIndex(ctx, r, architectures)
	}
	var all []*catalog.Catalog
	for _, component := range components {
		wanted := architectures
		if r.PackagesForAll {
			wanted = append(slices.Clone(architectures), "all")
		}
		any := false
		for i, architecture := range wanted {
			index, err := c.Index(ctx, r, component, architecture)
			var none *NoIndexError
			if errors.As(err, &none) && (i > 0 || r.PackagesForAll) {
				continue // a foreign architecture, or the native one beside "all"
			}
			if err != nil {
				return nil, err
			}
			any, all = true, append(all, index)
		}
		if !any {
			return nil, noIndex(r, component, architectures[0])
		}
	}
	return all, nil
}

func (c *Client) flatIndex(ctx context.Context, r *Release, architectures []string) ([]*catalog.Catalog, error) {
	all, err := c.Index(ctx, r, "", "")
	if err != nil {
		return nil, err
	}
	fit := make([]*debian.Package, 0, all.Len())
	for _, p := range all.All() {
		if p.Architecture == "all" || slices.Contains(architectures, p.Architecture) {
			fit = append(fit, p)
		}
	}
	return []*catalog.Catalog{catalog.New(fit)}, nil
}

// Index reads the Packages index of one component and architecture; a flat
// repository has one for all, and both are empty. The index is parsed once in
// a lifetime and kept in the cache.
//
// Its typed errors are [*NoIndexError], [*HalfUpdatedError] and
// [*MismatchError].
func (c *Client) Index(ctx context.Context, r *Release, component, architecture string) (*catalog.Catalog, error) {
	base := component + "/binary-" + architecture + "/Packages"
	if r.Archive.isFlat() {
		base = "Packages"
	}
	file, plain, found := findIndex(r, base)
	if !found {
		return nil, noIndex(r, component, architecture)
	}
	if index, ok := c.loadIndex(file.SHA256); ok {
		return index, nil
	}
	index, err := c.fetchIndex(ctx, r, file, plain)
	if err != nil {
		return nil, fmt.Errorf("read %s of %s: %w", file.Path, r.Archive, err)
	}
	return index, nil
}

// findIndex gives the best compressed form of an index, and its plain size.
func findIndex(r *Release, base string) (file debian.ReleaseFile, plain int64, found bool) {
	for _, prefix := range []string{"", "./"} {
		for _, ending := range []string{".xz", ".gz", ""} {
			file, found = r.File(prefix + base + ending)
			if !found {
				continue
			}
			if whole, ok := r.File(prefix + base); ok {
				return file, min(whole.Size, maxIndex), true
			}
			return file, maxIndex, true
		}
	}
	return debian.ReleaseFile{}, 0, false
}

func noIndex(r *Release, component, architecture string) error {
	return &NoIndexError{
		Archive: r.Archive, Component: component, Architecture: architecture,
		Components: r.Components, Architectures: r.Architectures,
	}
}

func (c *Client) fetchIndex(ctx context.Context, r *Release, file debian.ReleaseFile, limit int64) (*catalog.Catalog, error) {
	path := filepath.Join(c.cache, "indices", file.SHA256+".partial")
	p, err := openPartial(ctx, path, func() bool { return false })
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := c.downloadIndex(ctx, r, file, p); err != nil {
		return nil, err
	}
	c.report.Report(progress.Event{Stage: "read package indices", Detail: file.Path})
	table, err := readIndex(file.Path, p, p.have, limit)
	if err != nil {
		return nil, err
	}
	if err := c.saveIndex(file.SHA256, table); err != nil {
		return nil, fmt.Errorf("keep the parsed index: %w", err)
	}
	p.have = 0 // nobody needs the compressed one again
	return catalog.Read(bytes.NewReader(table), int64(len(table)))
}

// readIndex makes the table of a compressed index. An index is decompressed by one worker
// beside what parses it: one that works at several blocks has all of those in memory,
// 24 MB each, and is no sooner done.
func readIndex(name string, r io.ReaderAt, size, limit int64) (table []byte, err error) {
	plain, err := debian.OpenCompressed(name, r, size, limit, 1)
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	text, pipe := io.Pipe()
	var decompressing sync.WaitGroup
	decompressing.Go(func() {
		_, err := io.CopyBuffer(pipe, plain, make([]byte, 256<<10))
		pipe.CloseWithError(err)
	})
	defer decompressing.Wait()
	defer text.Close()
	writer := catalog.NewWriter()
	for p, err := range debian.Packages(text) {
		if err != nil {
			return nil, err
		}
		writer.Add(p)
	}
	return writer.Table(), nil
}

// downloadIndex tries the mirror that gave the Release first: another one may
// be of another hour. The name by hash is there even while the archive moves.
func (c *Client) downloadIndex(ctx context.Context, r *Release, file debian.ReleaseFile, p *partial) error {
	names := []string{r.Archive.file(file.Path)}
	byHash := ""
	if r.AcquireByHash {
		byHash = r.Archive.file(file.ByHash())
		names = []string{byHash, names[0]}
	}
	places := []place{{base: r.URL}}
	for _, other := range c.places(r.Archive, r.at) {
		if other.base == r.URL {
			places[0] = other
		} else {
			places = append(places, other)
		}
	}
	count := c.counter("fetch package indices", file.Path, file.Size)
	count(p.have)
	var tried []Attempt
	var moving error
	for _, at := range places {
		if ok, err := c.counts(ctx, at, r.Archive); err == nil && !ok {
			continue
		}
		for _, name := range names {
			err := c.download(ctx, at, name, p, wanted{file.SHA256, file.Size}, count)
			// A file that is named by its hash and has another was altered.
			// One that has a name of its own may just be of another hour.
			var mismatch *MismatchError
			other := errors.As(err, &mismatch) && name != byHash
			if err == nil || ctx.Err() != nil || !mayTryElsewhere(err) && !other {
				return err
			}
			tried = append(tried, Attempt{at.base, err})
			if other || moving == nil && errors.Is(err, errAbsent) {
				moving = err
			}
			if !errors.Is(err, errAbsent) {
				break
			}
		}
	}
	if moving != nil {
		return &HalfUpdatedError{Attempts: tried, cause: moving}
	}
	return &UnreachableError{Attempts: tried, Repository: r.Archive.repository()}
}
