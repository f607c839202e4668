package mirror

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"stet/internal/debian"
	"stet/internal/progress"
)

// parallel is how many packages are fetched at a time.
const parallel = 4

// Deb is a package to be fetched, as a lock names it.
type Deb struct {
	Name, Version, Architecture string

	Archive Archive
	Date    time.Time // of the Release it was in; zero leaves the snapshot service out
	Path    string    // below the archive's root
	SHA256  string    // lower-case hexadecimal
	Size    int64     // bytes
}

// Fetch brings debs into the cache; those that are there cost a stat. A fetch
// that is interrupted goes on where it was.
//
// Its typed errors are [*GoneError], which names everything that no mirror has
// after all the rest has come, [*MismatchError] and [*UnreachableError].
func (c *Client) Fetch(ctx context.Context, debs []Deb) error {
	missing := slices.Clone(c.Missing(debs))
	slices.SortFunc(missing, func(a, b Deb) int { return cmp.Compare(a.SHA256, b.SHA256) })
	missing = slices.CompactFunc(missing, func(a, b Deb) bool { return a.SHA256 == b.SHA256 })
	// The largest first, so that none of them is left over for the end.
	slices.SortStableFunc(missing, func(a, b Deb) int { return cmp.Compare(b.Size, a.Size) })
	var total int64
	for _, d := range missing {
		total += d.Size
	}
	count := c.counter("fetch packages", "", total)

	var mu sync.Mutex
	var gone []Deb
	var attempts []Attempt
	group, groupContext := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, d := range missing {
		if groupContext.Err() != nil {
			break
		}
		group.Go(func() error {
			tried, err := c.fetchDeb(groupContext, d, count)
			if errors.Is(err, errAbsent) {
				mu.Lock()
				defer mu.Unlock()
				if len(gone) == 0 || compareDebs(d, gone[0]) < 0 {
					attempts = tried
				}
				gone = append(gone, d)
				slices.SortFunc(gone, compareDebs)
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if len(gone) > 0 {
		return &GoneError{gone, attempts}
	}
	return context.Cause(ctx)
}

func compareDebs(a, b Deb) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Version, b.Version))
}

// fetchDeb fetches one package. It gives errAbsent, and the places asked, when
// those that answered do not have it.
func (c *Client) fetchDeb(ctx context.Context, d Deb, count func(int64)) ([]Attempt, error) {
	final := c.debPath(d.SHA256)
	path := final[:len(final)-len(".deb")] + ".partial"
	p, err := openPartial(ctx, path, func() bool { return c.Has(d) })
	if err != nil {
		return nil, fmt.Errorf("fetch package %s: %w", d.Name, err)
	}
	if p == nil {
		count(d.Size)
		return nil, nil
	}
	defer p.close()
	count(p.have)

	at := d.Date
	if !at.IsZero() {
		at = at.Add(debian.SnapshotDelay)
	}
	var tried []Attempt
	absent := false
	var failed error
	for _, place := range c.places(d.Archive, at) {
		ok, err := c.counts(ctx, place, d.Archive)
		if err == nil && !ok {
			continue
		}
		if err == nil {
			err = c.download(ctx, place, d.Path, p, wanted{d.SHA256, d.Size}, count)
		}
		if err == nil {
			if err := p.publish(final); err != nil {
				return nil, fmt.Errorf("keep package %s: %w", d.Name, err)
			}
			return nil, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !mayTryElsewhere(err) {
			return nil, fmt.Errorf("fetch package %s: %w", d.Name, err)
		}
		tried = append(tried, Attempt{place.base, err})
		var unreachable *unreachableError
		switch {
		case errors.Is(err, errAbsent):
			absent = true
		case !errors.As(err, &unreachable) && failed == nil:
			failed = fmt.Errorf("fetch package %s: %s/%s: %w", d.Name, place.base, d.Path, err)
		}
	}
	switch {
	case failed != nil:
		return nil, failed // a mirror in trouble may have it later
	case absent:
		return tried, errAbsent
	}
	return nil, fmt.Errorf("fetch package %s: %w", d.Name, &UnreachableError{Attempts: tried, Repository: d.Archive.repository()})
}

// mayTryElsewhere reports whether another mirror may help. Altered bytes and a
// full disk must be heard of at once.
func mayTryElsewhere(err error) bool {
	var mismatch *MismatchError
	var disk *writeError
	return !errors.As(err, &mismatch) && !errors.As(err, &disk)
}

// counter adds up bytes of one stage, for several goroutines, and reports each
// per cent of the total.
func (c *Client) counter(stage, detail string, total int64) func(int64) {
	var done, reported atomic.Int64
	step := max(total/100, 1)
	return func(n int64) {
		now := done.Add(n)
		if last := reported.Load(); now == total || now-last >= step || now < last {
			if reported.CompareAndSwap(last, now) {
				c.report.Report(progress.Event{Stage: stage, Detail: detail, Done: now, Total: total, Bytes: true})
			}
		}
	}
}
