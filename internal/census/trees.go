package census

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"stet/internal/tree"
	"stet/internal/verity"
)

// treeNeeds is what one tree needs.
type treeNeeds struct {
	items []uint32
	size  int64
	err   error
}

// readTrees reads every tree once, and gives each object a number. Trees that
// follow each other go to one reader.
func (t *taker) readTrees(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	numbers := &numbers{taker: t, known: map[verity.Digest]uint32{}}
	each := len(t.order)/runtime.GOMAXPROCS(0) + 1
	for from := 0; from < len(t.order); from += each {
		part := t.order[from:min(from+each, len(t.order))]
		group.Go(func() error {
			r := reader{numbers: numbers}
			for _, digest := range part {
				if err := ctx.Err(); err != nil {
					return err
				}
				needs := t.trees[digest]
				needs.err = r.read(digest, needs)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for digest, number := range numbers.known {
		t.names[objects][digest.String()] = number
	}
	t.stamps = make([]int32, len(t.items))
	return nil
}

// numbers numbers the objects for all readers.
type numbers struct {
	*taker
	mu    sync.Mutex
	known map[verity.Digest]uint32
}

// of gives the number of an object.
func (n *numbers) of(c tree.Content) uint32 {
	n.mu.Lock()
	defer n.mu.Unlock()
	number, known := n.known[c.Digest]
	if !known {
		number = uint32(len(n.items))
		n.known[c.Digest] = number
		n.items = append(n.items, item{size: c.Size})
	}
	return number
}

// reader reads trees one after the other. A generation's tree is nearly that of
// the one before: a line that is there again is compared, and not read.
type reader struct {
	*numbers
	last, spare         []line
	lastText, spareText []byte // what the lines are parts of
}

// line is one line of the tree before, and its object.
type line struct {
	text   []byte
	number uint32
	file   bool // it has an object
	status bool // which is dpkg's list of packages
	digest verity.Digest
}

func (r *reader) read(digest string, needs *treeNeeds) error {
	text, err := r.store.ReadTreeText(digest, r.spareText)
	if err != nil {
		return err
	}
	r.lastText, r.spareText = text, r.lastText
	needs.size = int64(len(text))
	needs.items = make([]uint32, 0, len(r.last)+len(r.last)/16)
	now, before := r.spare[:0], r.last
	r.last = nil // should this one not be read to its end
	at := 0
	for count := 1; len(text) > 0; count++ {
		var own []byte
		own, text, _ = bytes.Cut(text, newline)
		var l line
		var there bool
		if at, there = same(before, own, at); there {
			l = before[at]
			l.text = own
			at++
		} else if l, err = r.parse(own); err != nil {
			return fmt.Errorf("read tree %s: line %d: %w", digest, count, err)
		}
		if l.file {
			needs.items = append(needs.items, l.number)
		}
		if l.status {
			r.mu.Lock()
			r.status[digest] = l.digest
			r.mu.Unlock()
		}
		now = append(now, l)
	}
	r.last, r.spare = now, before
	return nil
}

var newline = []byte("\n")

// same looks whether the tree before has a line, from where its reading stands:
// both are sorted by path.
func same(before []line, text []byte, at int) (int, bool) {
	for ; at < len(before); at++ {
		if bytes.Equal(before[at].text, text) {
			return at, true
		}
		if bytes.Compare(pathOf(before[at].text), pathOf(text)) >= 0 {
			break
		}
	}
	return at, false
}

func pathOf(text []byte) []byte {
	if end := bytes.IndexByte(text, ' '); end >= 0 {
		return text[:end]
	}
	return text
}

func (r *reader) parse(text []byte) (line, error) {
	c, ok := tree.ContentOf(text)
	if !ok {
		return line{}, fmt.Errorf("%q cannot be read", text)
	}
	l := line{text: text, file: !c.Digest.IsZero(), digest: c.Digest}
	if l.file {
		l.number = r.of(c)
		l.status = string(c.Path) == StatusFile
	}
	return l, nil
}
