package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stet/internal/progress"
	"stet/internal/store"
	"stet/internal/verity"
)

// pourer writes objects into a file system by debugfs(8), which takes them one after
// the other, while others are read, checked and sealed.
type pourer struct {
	store  *store.Store
	report progress.Func
	dir    string // for large objects

	free    chan *slot // may be filled
	taken   chan *slot // debugfs works on these, the oldest first
	buffers buffers
}

// debugfsFunc runs debugfs(8), with commands as its input, and files as its
// descriptors from 3 on.
type debugfsFunc func(ctx context.Context, commands *os.File, said io.Writer, files []*os.File) error

// pour has debugfs(8) carry out the first commands, and then write the objects,
// sealed. The same objects make the same bytes.
func (p *pourer) pour(ctx context.Context, first string, objects []store.Object, debugfs debugfsFunc) error {
	objects = slices.Clone(objects)
	slices.SortFunc(objects, func(a, b store.Object) int { return a.Digest.Compare(b.Digest) })
	all, err := makeSlots(p.dir)
	p.free, p.taken = make(chan *slot, slots), make(chan *slot, slots)
	var files []*os.File
	for _, s := range all {
		defer s.memory.Close()
		files = append(files, s.memory)
		p.free <- s
	}
	if err != nil {
		return err
	}
	commands, feed, err := os.Pipe()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	ready := make(chan chan filled, slots)
	fed := make(chan error, 1)
	group.Go(func() error { return p.prepare(ctx, group, objects, ready) })
	group.Go(func() error {
		_, err := io.WriteString(feed, first)
		if err == nil {
			err = p.command(ctx, ready, feed)
		}
		err = errors.Join(err, feed.Close())
		fed <- err
		if errors.Is(err, unix.EPIPE) {
			return nil // why nobody reads any more is told by who did
		}
		return err
	})
	group.Go(func() error {
		said := &echo{written: p.giveBack}
		err := debugfs(ctx, commands, said, files)
		_ = commands.Close()
		if wrong := said.wrong(); wrong != nil {
			return wrong
		}
		if err == nil {
			err = <-fed // it may have ended before its commands did
		}
		return err
	})
	return group.Wait()
}

// filled is a slot that has an object.
type filled struct {
	slot   *slot
	object verity.Digest
	size   int64 // of the content alone
	err    error
}

// prepare fills slots, several at once, and hands them on in the objects' order.
func (p *pourer) prepare(ctx context.Context, group *errgroup.Group, objects []store.Object, ready chan<- chan filled) error {
	defer close(ready)
	workers := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, object := range objects {
		if i%500 == 0 {
			p.report.Report(progress.Event{Stage: "write the objects", Done: int64(i), Total: int64(len(objects))})
		}
		var s *slot
		select {
		case s = <-p.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		done := make(chan filled, 1)
		ready <- done // there is room: never are there more than slots
		workers <- struct{}{}
		group.Go(func() error {
			defer func() { <-workers }()
			size, err := p.fill(s, object.Digest)
			done <- filled{s, object.Digest, size, err}
			return err
		})
	}
	return nil
}

// fill puts an object into a slot with what ext4 keeps behind a sealed file. It is
// found damaged when it is.
func (p *pourer) fill(s *slot, object verity.Digest) (int64, error) {
	from := p.store.ObjectPath(object)
	info, err := os.Stat(from)
	if err != nil {
		return 0, err
	}
	file, err := s.file(info.Size())
	if err != nil {
		return 0, err
	}
	return p.buffers.seal(file, from, object)
}

// command tells debugfs(8) what to do, as soon as it can be done.
func (p *pourer) command(ctx context.Context, ready <-chan chan filled, feed io.Writer) error {
	dir := ""
	for done := range ready {
		var f filled
		select {
		case f = <-done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if f.err != nil {
			return f.err
		}
		name := f.object.String()
		var text strings.Builder
		if name[:2] != dir {
			dir = name[:2]
			fmt.Fprintf(&text, "cd /objects\nmkdir %s\ncd %s\n", dir, dir)
		}
		fmt.Fprintf(&text, "write %s %s\n%s", f.slot.seen(), name[2:], sealing(name[2:], f.size))
		p.taken <- f.slot
		if _, err := io.WriteString(feed, text.String()); err != nil {
			return err
		}
	}
	return nil
}

// inodeFlags are those of a sealed file: EXT4_EXTENTS_FL and EXT4_VERITY_FL.
const inodeFlags = 0x00180000

// sealing are the commands that say of a file that it is sealed: its metadata was
// written as if it were content.
func sealing(name string, size int64) string {
	return fmt.Sprintf("sif %s size %d\nsif %s flags %#x\n", name, size, name, inodeFlags)
}

// giveBack frees the oldest slot: what it had is in the file system.
func (p *pourer) giveBack() error {
	s := <-p.taken
	err := s.empty()
	p.free <- s
	return err
}

// echo hears what debugfs(8) says: each command before it is carried out, and what
// is wrong. It ends well whatever went wrong.
type echo struct {
	written func() error // what the last write named is no longer needed

	line    bytes.Buffer
	writing bool
	said    []string
}

// Write implements io.Writer.
func (e *echo) Write(text []byte) (int, error) {
	for rest := text; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		e.line.Write(line)
		if rest = after; !whole {
			break
		}
		if err := e.hear(e.line.String()); err != nil {
			return 0, err
		}
		e.line.Reset()
	}
	return len(text), e.wrong()
}

// commandsKnown are those that are given. One that goes well says nothing, or which
// inode it took.
var commandsKnown = []string{"cd", "mkdir", "write", "sif"}

func (e *echo) hear(line string) error {
	command, ok := strings.CutPrefix(line, "debugfs: ")
	name, _, _ := strings.Cut(command, " ")
	switch {
	case ok && slices.Contains(commandsKnown, name):
		written := e.writing // for the next command begins
		if e.writing = name == "write"; written {
			return e.written()
		}
	case strings.HasPrefix(line, "debugfs 1."), strings.HasPrefix(line, "Allocated inode: "), line == "":
	default:
		e.said = append(e.said, line)
	}
	return nil
}

// wrong is what debugfs(8) said that it should not.
func (e *echo) wrong() error {
	if len(e.said) == 0 {
		return nil
	}
	return fmt.Errorf("debugfs says: %s", strings.TrimSpace(strings.Join(e.said, "; ")))
}
