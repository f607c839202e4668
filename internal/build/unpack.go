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

// unpackAll unpacks packages that are not unpacked yet, and configures layers
// meanwhile. Every core has one thing to do at a time, and scripts take one:
// so neither waits for the other, and none for the last of the packages.
func unpackAll(ctx context.Context, s *store.Store, debs Debs, packages []lock.Package, layers []early, report progress.Func, observe graph.Observer) error {
	queue := newQueue(missingOf(s, packages), layers)
	cores := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	for range cores {
		group.Go(func() error {
			for ctx.Err() == nil {
				layer, p := queue.next()
				switch {
				case layer != nil:
					if err := layer.configure(ctx); err != nil {
						return err
					}
					queue.configured(layer)
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

// queue is what is left to do, the most urgent first: a layer whose packages are there
// and which the one below does not keep waiting, the packages that layers wait for, the
// lowest's first, and then the others; the largest first, so that no core waits for one
// at the end.
type queue struct {
	mu          sync.Mutex
	packages    []lock.Package
	layers      []*waiting
	busy        int // layers that are not configured yet
	done, total int64
}

// waiting is a layer with the SHA-256 of the packages that it waits for.
type waiting struct {
	early
	missing map[string]bool
}

func newQueue(missing []lock.Package, layers []early) *queue {
	q := &queue{packages: missing, busy: len(layers)}
	is := map[string]bool{}
	for _, p := range missing {
		is[p.SHA256] = true
	}
	rank := map[string]int{} // below 0 what layers wait for
	for _, layer := range layers {
		w := &waiting{early: layer, missing: map[string]bool{}}
		for _, member := range layer.packages {
			if is[member.SHA256] {
				w.missing[member.SHA256] = true
				rank[member.SHA256] = min(rank[member.SHA256], urgency(layer))
			}
		}
		q.layers = append(q.layers, w)
	}
	slices.SortFunc(q.packages, func(a, b lock.Package) int {
		return cmp.Or(cmp.Compare(rank[a.SHA256], rank[b.SHA256]), cmp.Compare(b.Size, a.Size))
	})
	for _, p := range q.packages {
		q.total += p.Size
	}
	return q
}

// urgency ranks what a layer waits for.
func urgency(layer early) int {
	if layer.below == nil {
		return -2
	}
	return -1
}

// next gives a layer or a package, or neither when nothing is left to begin.
// A layer that still waits is begun by whoever ends what it waits for.
func (q *queue) next() (*early, *lock.Package) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, layer := range q.layers {
		if len(layer.missing) == 0 && layer.below == nil {
			q.layers = slices.Delete(q.layers, i, i+1)
			return &layer.early, nil
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
	for _, layer := range q.layers {
		delete(layer.missing, p.SHA256)
	}
	q.done += p.Size
	return q.done, q.total
}

// configured notes that a layer is done.
func (q *queue) configured(done *early) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.busy--
	for _, layer := range q.layers {
		if same(layer.below, done.packages) {
			layer.below = nil
		}
	}
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
