package mirror

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"stet/internal/debian"
	"stet/internal/progress"
)

// maxIndex bounds a decompressed index; trixie's main has 57 MB.
const maxIndex = 1 << 30

func (c *Client) indexPath(sha256 string) string {
	return filepath.Join(c.cache, "indices", fmt.Sprintf("%s.v%d", sha256, tableVersion))
}

// loadIndex reads a parsed index from the cache. Whatever is wrong with it, it
// is just not there: the archive has it.
func (c *Client) loadIndex(sha256 string) ([]*debian.Package, bool) {
	data, err := os.ReadFile(c.indexPath(sha256))
	if err != nil {
		return nil, false
	}
	packages, err := decodeTable(data)
	return packages, err == nil
}

func (c *Client) saveIndex(sha256 string, packages []*debian.Package) error {
	path := c.indexPath(sha256)
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(encodeTable(packages)); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (c *Client) fetchIndex(ctx context.Context, r *Release, file debian.ReleaseFile, limit int64) ([]*debian.Package, error) {
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
	plain, err := debian.OpenCompressed(file.Path, p, p.have, limit, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	defer plain.Close()
	packages, err := debian.ParsePackages(bufio.NewReaderSize(plain, 1<<16))
	if err != nil {
		return nil, err
	}
	if err := c.saveIndex(file.SHA256, packages); err != nil {
		return nil, fmt.Errorf("keep the parsed index: %w", err)
	}
	p.have = 0 // nobody needs the compressed one again
	return packages, nil
}

// downloadIndex tries the mirror that gave the Release first: another one may
// be of another hour. The name by hash is there even while the archive moves.
func (c *Client) downloadIndex(ctx context.Context, r *Release, file debian.ReleaseFile, p *partial) error {
	dir := "dists/" + r.Archive.Suite + "/"
	names := []string{dir + file.Path}
	if r.AcquireByHash {
		names = []string{dir + file.ByHash(), dir + file.Path}
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
	absent := false
	for _, at := range places {
		if ok, err := c.counts(ctx, at, r.Archive); err == nil && !ok {
			continue
		}
		for _, name := range names {
			err := c.download(ctx, at, name, p, wanted{file.SHA256, file.Size}, count)
			if err == nil || ctx.Err() != nil || !mayTryElsewhere(err) {
				return err
			}
			tried = append(tried, Attempt{at.base, err})
			if !errors.Is(err, errAbsent) {
				break
			}
			absent = true
		}
	}
	if absent {
		return fmt.Errorf("no mirror has it, though the Release names it: perhaps the mirror is being updated; try again in ten minutes, or name another one with --mirror%s", list(tried))
	}
	return &UnreachableError{tried}
}
