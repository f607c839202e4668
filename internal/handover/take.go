package handover

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"stet/internal/progress"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// The largest files of each kind that are taken into memory.
const (
	maxManifest = 1 << 20
	maxText     = 256 << 20 // a tree or an image
	maxObject   = 1 << 50   // so that their sum is one
)

// File names a file of a store.
type File struct {
	Kind   store.Kind
	Digest string
}

// Source has files of a store. Send gives each of those that are asked for, in
// order, to take, which reads all of its content. Nothing of it is to be
// believed.
type Source interface {
	Send(files []File, take func(of File, size int64, content io.Reader) error) error
}

// Taken is what a transfer brought.
type Taken struct {
	Files int
	Bytes int64
}

// Take brings a system into a store: what it lacks, each file checked. Whole is a system
// of which the store is known to have all, as of one that runs: what the two share is not
// looked at. It is "" where no such is known.
func Take(ctx context.Context, to *store.Store, from Source, o Offer, whole string, report progress.Func) (Taken, error) {
	t := newTaker(ctx, to, from, o, report)
	var err error
	if o.System == whole {
		err = t.takeOrigin(o)
	} else {
		err = t.take(o, whole)
	}
	if err != nil {
		return t.taken, fmt.Errorf("take system %.12s: %w", o.System, err)
	}
	return t.taken, nil
}

type taker struct {
	ctx    context.Context
	to     *store.Store
	from   Source
	report progress.Func
	sizes  map[verity.Digest]int64 // of the objects, as the trees have them
	// offered are the sizes of others, as the sender has them: only what room is
	// needed follows from them.
	offered map[verity.Digest]int64
	taken   Taken
	total   int64
}

func newTaker(ctx context.Context, to *store.Store, from Source, o Offer, report progress.Func) *taker {
	t := &taker{ctx: ctx, to: to, from: from, report: report, sizes: map[verity.Digest]int64{}, offered: map[verity.Digest]int64{}}
	for text, size := range o.Sizes {
		if d, err := verity.ParseDigest(text); err == nil && size >= 0 && size < maxObject {
			t.offered[d] = size
		}
	}
	return t
}

func (t *taker) take(o Offer, whole string) error {
	manifest, text, err := t.manifest(o.System)
	if err != nil {
		return err
	}
	if manifest.Machine != o.Machine {
		return fmt.Errorf("it is of machine %q, not %q", manifest.Machine, o.Machine)
	}
	had, err := t.had(whole)
	if err != nil {
		return err
	}
	if err := t.trees(manifest, had); err != nil {
		return err
	}
	t.want(manifest.Kernel, manifest.Initrd, o.Bundle, o.SourceMap)
	if err := t.fetch(append(t.lackingObjects(), t.lackingImages(manifest)...)); err != nil {
		return err
	}
	if _, err := t.to.PutSystem(text); err != nil {
		return err
	}
	return t.to.Sync()
}

// takeOrigin takes where a system comes from that is there.
func (t *taker) takeOrigin(o Offer) error {
	t.want(o.Bundle, o.SourceMap)
	lacks := t.lackingObjects()
	if len(lacks) == 0 {
		return nil
	}
	if err := t.fetch(lacks); err != nil {
		return err
	}
	return t.to.Sync()
}

// had gives the trees of a system of which the store has all.
func (t *taker) had(system string) (map[string]bool, error) {
	if system == "" {
		return nil, nil
	}
	manifest, _, err := t.manifest(system)
	if err != nil {
		return nil, err
	}
	had := map[string]bool{}
	for _, digest := range manifest.Trees {
		had[digest] = true
	}
	return had, nil
}

// manifest takes the manifest. It is not put before everything else is there.
func (t *taker) manifest(digest string) (m *system.Manifest, text []byte, err error) {
	if text, err = t.to.System(digest); err != nil {
		err = t.from.Send([]File{{store.Systems, digest}}, func(of File, size int64, content io.Reader) error {
			if text, err = t.read(of, size, maxManifest, content); err == nil && store.Name(text) != digest {
				err = &MismatchError{of}
			}
			return err
		})
	}
	if err == nil {
		m, err = system.ParseManifest(text)
	}
	return m, text, err
}

// trees takes what is missing of them, and notes what objects they name, but for those of
// which the store has all.
func (t *taker) trees(m *system.Manifest, had map[string]bool) error {
	digests := slices.Sorted(maps.Values(m.Trees))
	var lacks []File
	for _, digest := range slices.Compact(digests) {
		if had[digest] {
			continue
		}
		if made, err := t.to.Tree(digest); err == nil {
			t.note(made)
		} else {
			lacks = append(lacks, File{store.Trees, digest})
		}
	}
	return t.from.Send(lacks, func(of File, size int64, content io.Reader) error {
		text, err := t.read(of, size, maxText, content)
		if err != nil {
			return err
		}
		if store.Name(text) != of.Digest {
			return &MismatchError{of}
		}
		made, err := tree.ParseDump(text)
		if err != nil {
			return err
		}
		t.note(made)
		_, err = t.to.PutTree(made)
		return err
	})
}

func (t *taker) note(made *tree.Tree) {
	for e := range made.All() {
		if !e.Digest.IsZero() {
			t.sizes[e.Digest] = e.Size
		}
	}
}

// want notes objects that no tree has to have.
func (t *taker) want(objects ...verity.Digest) {
	for _, d := range objects {
		if _, known := t.sizes[d]; !known && !d.IsZero() {
			t.sizes[d] = store.AnySize
		}
	}
}

// lackingObjects lists the objects that the store has not, or not whole.
func (t *taker) lackingObjects() (lacks []File) {
	objects := make([]store.Object, 0, len(t.sizes))
	for d, size := range t.sizes {
		objects = append(objects, store.Object{Digest: d, Size: size})
	}
	for _, d := range t.to.Lacking(objects) {
		lacks = append(lacks, File{store.Objects, d.String()})
	}
	slices.SortFunc(lacks, func(a, b File) int { return cmp.Compare(a.Digest, b.Digest) })
	return lacks
}

// lackingImages lists the images that the store has not, or not whole. They come after
// the objects, which they name.
func (t *taker) lackingImages(m *system.Manifest) (lacks []File) {
	for _, d := range m.Images {
		if store.CheckSealed(t.to.ImagePath(d), d) != nil {
			lacks = append(lacks, File{store.Images, d.String()})
		}
	}
	slices.SortFunc(lacks, func(a, b File) int { return cmp.Compare(a.Digest, b.Digest) })
	return slices.Compact(lacks)
}

// fetch has files sent and puts them into the store, if there is room for all.
func (t *taker) fetch(lacks []File) error {
	for _, f := range lacks {
		t.total += t.size(f)
	}
	if err := t.to.NeedRoom(t.total, int64(len(lacks))); err != nil {
		return err
	}
	return t.from.Send(lacks, t.put)
}

func (t *taker) size(f File) int64 {
	d, _ := verity.ParseDigest(f.Digest)
	if size := t.sizes[d]; size > 0 {
		return size
	}
	return t.offered[d]
}

// put stores an object or image that came.
func (t *taker) put(of File, size int64, content io.Reader) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	d, err := verity.ParseDigest(of.Digest)
	if err != nil {
		return err
	}
	t.report.Report(progress.Event{Stage: "take", Done: t.taken.Bytes, Total: t.total, Bytes: true})
	if of.Kind == store.Images {
		image, err := t.read(of, size, maxText, content)
		if err != nil {
			return err
		}
		if verity.Sum(image) != d {
			return &MismatchError{of}
		}
		_ = os.Remove(t.to.ImagePath(d)) // one that is there is damaged
		_, err = t.to.PutImage(func(w io.Writer) error { _, err := w.Write(image); return err })
		return err
	}
	if want := t.sizes[d]; want != store.AnySize && want != size {
		return fmt.Errorf("object %s: it has %d bytes and should have %d", d, size, want)
	}
	t.taken.Files++
	t.taken.Bytes += size
	return t.to.PutObject(d, io.LimitReader(content, size))
}

// read reads a whole file that fits into memory.
func (t *taker) read(of File, size, most int64, content io.Reader) ([]byte, error) {
	if size > most {
		return nil, fmt.Errorf("%s/%s has %d bytes: that is too large for one", of.Kind, of.Digest, size)
	}
	text, err := io.ReadAll(io.LimitReader(content, size))
	if err == nil && int64(len(text)) != size {
		err = io.ErrUnexpectedEOF
	}
	t.taken.Files++
	t.taken.Bytes += int64(len(text))
	return text, err
}

// MismatchError says that a file is not what its name says.
type MismatchError struct{ File File }

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("what came as %s/%s is something else", e.File.Kind, e.File.Digest)
}
