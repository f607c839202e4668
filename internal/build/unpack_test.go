package build

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"stet/internal/lock"
	"stet/internal/store"
	"stet/internal/tree"
)

// TestQueueTakesLayersFirst unpacks one package at a time and writes down what is
// begun: packages by their sums, layers by how many packages they have.
func TestQueueTakesLayersFirst(t *testing.T) {
	sized := func(sum string, size int64) lock.Package { return lock.Package{SHA256: sum, Size: size} }
	missing := []lock.Package{sized("kernel", 90), sized("libc", 30), sized("dpkg", 40), sized("doc", 1)}
	layer := func(below []lock.Package, packages ...lock.Package) *early {
		return &early{packages: packages, below: below}
	}
	base := []lock.Package{sized("libc", 30), sized("dpkg", 40)}
	for name, c := range map[string]struct {
		layers []*early
		want   string
	}{
		"no base":                        {nil, "kernel dpkg libc doc"},
		"a base":                         {[]*early{layer(nil, base...)}, "dpkg libc 2 kernel doc"},
		"a base that was unpacked":       {[]*early{layer(nil, sized("old", 5))}, "1 kernel dpkg libc doc"},
		"bases that share some packages": {[]*early{layer(nil, sized("libc", 30)), layer(nil, sized("libc", 30), sized("doc", 1))}, "libc 1 doc 2 kernel dpkg"},
		"a layer over the base":          {[]*early{layer(nil, base...), layer(base, append(base, sized("doc", 1))...)}, "dpkg libc 2 doc 3 kernel"},
		"two over one base":              {[]*early{layer(nil, base...), layer(base, base...), layer(base, append(base, sized("doc", 1))...)}, "dpkg libc 2 2 doc 3 kernel"},
	} {
		q := newQueue(append([]lock.Package(nil), missing...), c.layers)
		var have []string
		var done, total int64
		for begun := true; begun; {
			begun = false
			for _, layer := range q.ready() {
				have = append(have, strconv.Itoa(len(layer.packages)))
				q.configured(layer)
				begun = true
			}
			if begun {
				continue // what waited for this layer goes before any package
			}
			if p := q.next(); p != nil {
				have = append(have, p.SHA256)
				done, total = q.unpacked(p)
				begun = true
			}
		}
		if have := strings.Join(have, " "); have != c.want || done != 161 || total != 161 {
			t.Errorf("%s: have %s, %d of %d", name, have, done, total)
		}
	}
}

// TestPackagesEndTogether: a package that is all there is takes every core but the
// scripts', and one of many takes its part, so that few blocks are in memory.
func TestPackagesEndTogether(t *testing.T) {
	kernel, small := lock.Package{SHA256: "kernel", Size: 90}, lock.Package{SHA256: "libc", Size: 10}
	for name, c := range map[string]struct {
		missing []lock.Package
		layers  []*early
		cores   int
		want    []int // in the order of the queue, each when those before are done
	}{
		"alone":                     {[]lock.Package{kernel}, nil, 8, []int{8}},
		"alone beside scripts":      {[]lock.Package{kernel}, []*early{{}}, 8, []int{7}},
		"one core beside scripts":   {[]lock.Package{kernel}, []*early{{}}, 1, []int{1}},
		"most of what is left":      {[]lock.Package{kernel, small}, nil, 8, []int{8, 8}},
		"as large as another":       {[]lock.Package{kernel, kernel}, nil, 2, []int{1, 2}},
		"one of three on two cores": {[]lock.Package{kernel, kernel, kernel}, nil, 2, []int{1, 1, 2}},
		"a size that nobody knows":  {[]lock.Package{{SHA256: "odd"}}, nil, 8, []int{1}},
	} {
		q := newQueue(c.missing, c.layers)
		var have []int
		for p := q.next(); p != nil; p = q.next() {
			have = append(have, q.share(p, c.cores))
			q.unpacked(p)
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: have %d cores, not %d", name, have, c.want)
		}
	}
}

// noDebs has no package.
type noDebs struct{}

func (noDebs) Open(lock.Package) (*os.File, error) { return nil, os.ErrNotExist }

func TestUnpackingAndTheBaseEndEachOther(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gone := lock.Package{Name: "gone", Version: "1", SHA256: "00", Size: 1}
	waits := &early{configure: func(ctx context.Context) (*tree.Tree, error) { <-ctx.Done(); return nil, ctx.Err() }}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	var missing *MissingError
	if err := unpackAll(t.Context(), s, noDebs{}, []lock.Package{gone}, []*early{waits}, nil, nil); !errors.As(err, &missing) {
		t.Errorf("a missing package does not end the scripts: have %v", err)
	}
	broken := errors.New("a script failed")
	fails := &early{configure: func(context.Context) (*tree.Tree, error) { return nil, broken }}
	if err := unpackAll(t.Context(), s, noDebs{}, nil, []*early{fails}, nil, nil); !errors.Is(err, broken) {
		t.Errorf("have %v", err)
	}
}

// priorityDebs notes the priority of who opens a package.
type priorityDebs struct{ seen chan int }

func (d priorityDebs) Open(lock.Package) (*os.File, error) {
	d.seen <- niceOfThread()
	return nil, os.ErrNotExist
}

// niceOfThread is the nice value of the caller's thread; the system call gives 20 less it.
func niceOfThread() int {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return -1
	}
	return 20 - raw
}

func TestScriptsGoBeforeUnpacking(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := niceOfThread()
	seen := make(chan int, 2)
	layer := &early{configure: func(context.Context) (*tree.Tree, error) { seen <- niceOfThread(); return nil, nil }}
	_ = unpackAll(t.Context(), s, noDebs{}, nil, []*early{layer}, nil, nil)
	if nice := <-seen; nice != before {
		t.Errorf("scripts have nice value %d, not %d", nice, before)
	}
	for layers, want := range map[*early]int{layer: before + behind, nil: before} {
		all := slices.DeleteFunc([]*early{layers}, func(e *early) bool { return e == nil })
		debs := priorityDebs{make(chan int, 1)}
		_ = unpackAll(t.Context(), s, debs, []lock.Package{{Name: "gone", SHA256: "00", Size: 1}}, all, nil, nil)
		if nice := <-debs.seen; nice != want {
			t.Errorf("beside %d layers, unpacking has nice value %d, not %d", len(all), nice, want)
		}
	}
	if after := niceOfThread(); after != before {
		t.Errorf("nice value %d stayed behind", after)
	}
}
