package rootfs

import (
	"errors"
	"math"
	"os"
	"path/filepath"

	"stet/internal/erofs"
	"stet/internal/mount"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/verity"
)

// Overlay provides roots as overlays over a composefs image. It needs root of
// the host, and a kernel that mounts EROFS.
type Overlay struct {
	// Shuffle, when it is not 0, divides the tree over two images that lie one
	// on the other: directories list their entries in another order.
	Shuffle uint64
	// OnDisk keeps nothing in memory.
	OnDisk bool
}

// Provide implements [Provider].
func (o Overlay) Provide(s *store.Store, before *tree.Tree, memory bool) (Provided, error) {
	l, err := newLayered(s, before, "trusted.overlay.", memory && !o.OnDisk)
	if err != nil {
		return nil, err
	}
	images := composefs{Image: filepath.Join(l.dir, "image"), Objects: s.ObjectsDir(), Source: "stet:build"}
	if o.Shuffle == 0 {
		err = writeImage(images.Image, before)
	} else {
		images.Beneath = filepath.Join(l.dir, "beneath")
		err = o.writeDivided(images, before)
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	l.mount = images.root
	return l, nil
}

func (o Overlay) writeDivided(images composefs, t *tree.Tree) error {
	above, beneath, err := divide(t, o.Shuffle, math.MaxInt64)
	if err != nil {
		return err
	}
	return errors.Join(writeImage(images.Image, above), writeImage(images.Beneath, beneath))
}

func writeImage(name string, t *tree.Tree) error {
	image, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(erofs.Write(image, t), image.Close())
}

// View implements [Provider].
func (Overlay) View(s *store.Store, _ string, image verity.Digest) (View, error) {
	return composefs{Image: s.ImagePath(image), Objects: s.ObjectsDir(), Source: "stet:" + image.String()}, nil
}

// composefs is a mount without the directories that take changes.
type composefs mount.Composefs

func (c composefs) root(upper, work string) sandbox.Mount { return c.Mount("/", upper, work) }

// Mount implements [View].
func (c composefs) Mount(target, upper, work string) sandbox.Mount {
	c.Upper, c.Work, c.Volatile, c.Unnamed = upper, work, upper != "", true
	made := mount.Composefs(c)
	return sandbox.Mount{Target: target, Composefs: &made}
}

// Close implements [View].
func (composefs) Close() error { return nil }
