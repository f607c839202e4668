package build

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/progress"
	"stet/internal/store"
	"stet/internal/unpack"
)

// early is a base that is configured as soon as its packages are unpacked.
type early struct {
	packages  []lock.Package
	configure func(context.Context) error
}

// same reports whether two bases have the same packages.
func (e early) same(other early) bool {
	return slices.EqualFunc(e.packages, other.packages, func(a, b lock.Package) bool { return a.SHA256 == b.SHA256 })
}

// missingOf gives the packages that are not unpacked yet.
func missingOf(s *store.Store, packages []lock.Package) []lock.Package {
	var out []lock.Package
	for _, p := range packages {
		if _, ok := unpack.Remembered(s, p.SHA256); !ok && !p.Synthetic {
			out = append(out, p)
		}
	}
	return out
}

// unpackAll unpacks packages that are not unpacked yet, and configures bases
// meanwhile. Every core has one thing to do at a time, and scripts take one:
// so neither waits for the other, and none for the last of the packages.
func unpackAll(ctx context.Context, s *store.Store, debs Debs, packages []lock.Package, bases []early, report progress.Func, observe graph.Observer) error {
	queue := newQueue(missingOf(s, packages), bases)
	cores := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	for range cores {
		group.Go(func() error {
			for ctx.Err() == nil {
				base, p := queue.next()
				switch {
				case base != nil:
					if err := base.configure(ctx); err != nil {
						return err
					}
					queue.configured()
				case p != nil:
					ended := observe.Begin(graph.Step{Stage: graph.Import, Name: nameOf(*p)})
					if err := unpackOne(s, debs, *p, queue.share(cores)); err != nil {
						return fmt.Errorf("unpack %s %s: %w", p.Name, p.Version, err)
					}
					ended(graph.Outcome{Bytes: graph.Bytes(p.Size)})
					done, total := queue.unpacked(p)
					report.Report(progress.Event{Stage: "unpack packages", Detail: p.Name, Done: done, Total: total, Bytes: true})
				default:
					return nil
				}
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// queue is what is left to do, the most urgent first: a base whose packages
// are there, the packages that a base waits for, and then the others; the
// largest first, so that no core waits for one at the end.
type queue struct {
	mu          sync.Mutex
	packages    []lock.Package
	bases       []*waiting
	busy        int // bases that are not configured yet
	done, total int64
}

// waiting is a base with the SHA-256 of the packages that it waits for.
type waiting struct {
	early
	missing map[string]bool
}

func newQueue(missing []lock.Package, bases []early) *queue {
	q := &queue{packages: missing, busy: len(bases)}
	urgent := map[string]bool{}
	for _, base := range bases {
		w := &waiting{early: base, missing: map[string]bool{}}
		for _, member := range base.packages {
			if slices.ContainsFunc(missing, func(p lock.Package) bool { return p.SHA256 == member.SHA256 }) {
				w.missing[member.SHA256], urgent[member.SHA256] = true, true
			}
		}
		q.bases = append(q.bases, w)
	}
	rank := func(p lock.Package) int {
		if urgent[p.SHA256] {
			return 0
		}
		return 1
	}
	slices.SortFunc(q.packages, func(a, b lock.Package) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.Size, a.Size)) })
	for _, p := range q.packages {
		q.total += p.Size
	}
	return q
}

// next gives a base or a package, or neither when nothing is left to begin.
// A base that still waits is begun by whoever unpacks the last of its packages.
func (q *queue) next() (*early, *lock.Package) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, base := range q.bases {
		if len(base.missing) == 0 {
			q.bases = slices.Delete(q.bases, i, i+1)
			return &base.early, nil
		}
	}
	if len(q.packages) == 0 {
		return nil, nil
	}
	p := q.packages[0]
	q.packages = q.packages[1:]
	return nil, &p
}

// unpacked notes a package as done and tells how much is.
func (q *queue) unpacked(p *lock.Package) (done, total int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, base := range q.bases {
		delete(base.missing, p.SHA256)
	}
	q.done += p.Size
	return q.done, q.total
}

// configured notes that a base is done.
func (q *queue) configured() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
}

// share is how many cores the decompression of one package may take: one is
// left to the scripts.
func (q *queue) share(cores int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy > 0 {
		return max(1, cores-1)
	}
	return cores
}
