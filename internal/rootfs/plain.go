package rootfs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"stet/internal/debian"
	"stet/internal/sandbox"
	"stet/internal/tree"
)

// What is laid out decompressed, in bytes, before that and after. Debian's kernel for
// clouds has modules of 21 MB, decompressed 118. The one for all machines has 94 and 516:
// depmod reads those for seconds, but whoever wants them has scripts that take longer.
const (
	compressedMost = 32 << 20
	plainMost      = 256 << 20
)

// plain gives mounts that show the directories of modules that a head start reads with
// their files decompressed. kmod goes by what a file begins with, not by its name, and
// nine tenths of depmod's time is decompressing, on one core. It gives none where
// something is otherwise than expected: the program can read what is there as well.
func (b *Builder) plain(ctx context.Context, before *tree.Tree, of []headStart, r room) (mounts []sandbox.Mount) {
	if !r.memory {
		return nil // to write so much to a disk takes longer
	}
	defer debian.ReleaseBuffers()
	for _, h := range of {
		for e := range before.All() {
			if is, _ := path.Match(h.compressed, e.Path); !is || e.Type != tree.Directory {
				continue
			}
			dir, err := os.MkdirTemp(r.dir, "plain-*")
			if err != nil || b.layPlain(ctx, before, e.Path, dir) != nil {
				_ = os.RemoveAll(dir) // it is in the way of no one, and goes with the room
				continue
			}
			mounts = append(mounts, sandbox.Mount{Target: e.Path, Bind: &sandbox.Bind{Source: dir, ReadOnly: true}})
		}
	}
	return mounts
}

// layPlain lays what is below a directory of a tree in one of the host.
func (b *Builder) layPlain(ctx context.Context, t *tree.Tree, of, dir string) error {
	compressed := int64(0)
	for e := range t.Below(of) {
		compressed += e.Size
	}
	if compressed > compressedMost {
		return debian.ErrTooLarge
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	var size atomic.Int64
	for e := range t.Below(of) {
		name := filepath.Join(dir, strings.TrimPrefix(e.Path, of))
		group.Go(func() error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case e.Type == tree.Directory:
				return nil
			case e.Type != tree.Regular:
				return fmt.Errorf("%s is no file", e.Path)
			}
			return b.decompress(e, name, &size)
		})
	}
	return group.Wait()
}

// decompress writes a module. What is none is refused: a program might take it for
// something that is compressed once more.
func (b *Builder) decompress(e *tree.Entry, name string, size *atomic.Int64) error {
	data, err := b.Store.ReadObject(e.Digest)
	if err != nil {
		return err
	}
	module, err := debian.OpenCompressed(e.Path, bytes.NewReader(data), int64(len(data)), max(0, plainMost-size.Load()), 1)
	if err != nil {
		return err
	}
	defer module.Close()
	text := bufio.NewReaderSize(module, 64<<10)
	if begin, err := text.Peek(4); err != nil || string(begin) != "\x7fELF" {
		return fmt.Errorf("%s is no module", e.Path)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	written, err := io.Copy(file, text)
	if err != nil {
		return err
	}
	if size.Add(written) > plainMost {
		return debian.ErrTooLarge
	}
	return nil
}
