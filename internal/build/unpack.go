package build

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"stet/internal/debian"
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
// meanwhile. Scripts take one core at a time, and not all of that, as they wait
// for the clock and for each other: so every core unpacks, and scripts go before.
func unpackAll(ctx context.Context, s *store.Store, debs Debs, packages []lock.Package, layers []*early, report progress.Func, observe graph.Observer) error {
	defer debian.ReleaseBuffers()
	queue := newQueue(missingOf(s, packages), layers)
	cores := runtime.GOMAXPROCS(0)
	group, ctx := errgroup.WithContext(ctx)
	var configure func()
	configure = func() {
		for _, layer := range queue.ready() {
			group.Go(func() error {
				var err error
				if layer.left, err = layer.configure(ctx); err != nil {
					return err
				}
				queue.configured(layer)
				configure()
				return s.Publish() // the disk has less to do at the end, and a cut loses less
			})
		}
	}
	configure()
	for range cores {
		group.Go(func() error {
			if len(layers) > 0 {
				goBehind()
			}
			for p := queue.next(); p != nil && ctx.Err() == nil; p = queue.next() {
				ended := observe.Begin(graph.Step{Stage: graph.Import, Name: nameOf(*p)})
				if err := unpackOne(s, debs, *p, queue.share(p, cores)); err != nil {
					return fmt.Errorf("unpack %s %s: %w", p.Name, p.Version, err)
				}
				ended(graph.Outcome{Bytes: graph.Bytes(p.Size)})
				done, total := queue.unpacked(p)
				report.Report(progress.Event{Stage: "unpack packages", Detail: p.Name, Done: done, Total: total, Bytes: true})
				configure()
			}
			return ctx.Err()
		})
	}
	return group.Wait()
}

// behind is how much less than scripts, as nice(1) counts, unpacking is given of a
// core: a quarter, so that it goes on where others take all cores.
const behind = 5

// goBehind lets others go before the goroutine, in a thread that ends with it. Stet may
// be behind others itself.
func goBehind() {
	runtime.LockOSThread()
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the nice value
	if err == nil {
		// Where it fails, neither goes before the other.
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-raw+behind)
	}
}

// queue is what is left to do, the most urgent first: the packages that layers wait for,
// the lowest's first, and then the others; the largest first, so that no core waits for
// one at the end.
type queue struct {
	mu          sync.Mutex
	packages    []lock.Package
	layers      []*waiting
	busy        int // layers that are not configured yet
	done, total int64
}

// waiting is a layer with the SHA-256 of the packages that it waits for.
type waiting struct {
	*early
	below   []lock.Package // what it waits for to be configured
	missing map[string]bool
}

func newQueue(missing []lock.Package, layers []*early) *queue {
	q := &queue{packages: missing, busy: len(layers)}
	is := map[string]bool{}
	for _, p := range missing {
		is[p.SHA256] = true
	}
	rank := map[string]int{} // below 0 what layers wait for
	for at, layer := range layers {
		w := &waiting{early: layer, below: layer.below, missing: map[string]bool{}}
		for _, member := range layer.packages {
			if is[member.SHA256] {
				w.missing[member.SHA256] = true
				rank[member.SHA256] = min(rank[member.SHA256], at-len(layers))
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

// ready gives, once, the layers whose packages are there and which the one below does
// not keep waiting.
func (q *queue) ready() []*early {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*early
	q.layers = slices.DeleteFunc(q.layers, func(layer *waiting) bool {
		if len(layer.missing) > 0 || layer.below != nil {
			return false
		}
		out = append(out, layer.early)
		return true
	})
	return out
}

// next gives the package to unpack next, or none when nothing is left to begin.
func (q *queue) next() *lock.Package {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.packages) == 0 {
		return nil
	}
	p := q.packages[0]
	q.packages = q.packages[1:]
	return &p
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

// share is how many cores the decompression of a package may take: so many that it ends
// with what else is left, as each core's blocks are held in memory. One core is left to
// the scripts.
func (q *queue) share(p *lock.Package, cores int) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.busy > 0 {
		cores--
	}
	left := max(1, q.total-q.done)
	return max(1, int((p.Size*int64(cores)+left-1)/left))
}
