package mount

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Composefs says what a composefs mount is made of: an EROFS metadata image
// whose files name their content in Objects (trusted.overlay.redirect), and,
// when it shall be writable, an upper directory.
type Composefs struct {
	Image   string // path of the EROFS image
	Beneath string // path of one more image beneath it, in the same directory; or ""
	Objects string // directory the redirects of the image start from

	// Upper and Work make the tree writable (see overlayfs.rst of the kernel).
	// Both are directories of one file system; Work must be empty and is used
	// by no other mount, at no time.
	Upper, Work string

	// ReadOnly makes the mount refuse writes even though it has an Upper.
	// Without Upper, superblock and mount are read-only anyway.
	ReadOnly bool

	// RequireVerity makes the kernel compare each file's fs-verity digest with
	// the one in the image at open. Objects must be on a file system with
	// fs-verity and be sealed.
	RequireVerity bool

	// Volatile leaves out every sync of Upper: for a build that is thrown away
	// when the machine dies. The same Work cannot be mounted a second time.
	Volatile bool

	// Unnamed keeps the paths of the directories out of mountinfo, for programs
	// that shall learn nothing of the host.
	Unnamed bool

	// Source is what mountinfo shows as the source, "stet:usr:<id>": the running
	// generation is read back from it.
	Source string
}

// Mount mounts c without a place.
//
// The image is opened through a detached clone of its directory's mount, and
// overlayfs keeps private clones of its layers: so the file system that holds
// the store can be unmounted while the result is in use.
func (c Composefs) Mount() (*Mount, error) {
	if (c.Upper == "") != (c.Work == "") {
		return nil, fmt.Errorf("mount %s: an upper directory needs a work directory, and the other way round", c.Image)
	}
	var m *Mount
	err := inPrivateNamespace(func() error {
		var err error
		m, err = c.mount()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mount image %s: %w", c.Image, err)
	}
	return m, nil
}

// mount runs in a mount namespace that nobody sees and that ends with it. Until
// Linux 6.15 overlayfs takes no detached mount for a layer, so the EROFS mount
// needs a place; the image's own directory, of which a clone is held, is one
// that surely exists.
func (c Composefs) mount() (*Mount, error) {
	directory := filepath.Dir(c.Image)
	clone, err := Clone(directory, false)
	if err != nil {
		return nil, err
	}
	defer clone.Close()

	layers := layers{hidden: directory, unnamed: c.Unnamed}
	defer layers.close()
	objects := layers.open("objects", c.Objects)
	upper := layers.open("upper", c.Upper)
	work := layers.open("work", c.Work)
	if layers.err != nil {
		return nil, layers.err
	}

	ctx := newContext("overlay")
	defer ctx.close()
	if c.Source != "" {
		ctx.set("source", c.Source)
	}
	ctx.set("metacopy", "on")
	ctx.set("redirect_dir", "on")
	for _, image := range []string{c.Image, c.Beneath} {
		if image == "" {
			continue
		}
		low, err := mountEROFS(clone.Root() + "/" + filepath.Base(image))
		if err != nil {
			return nil, err
		}
		defer low.Close()
		if err := low.Attach(directory); err != nil {
			return nil, err
		}
		ctx.set("lowerdir+", fdPath(low.fd))
	}
	if c.Beneath != "" {
		// Files of both are on the device of the mount, as its directories are: who
		// stays on one file system, such as du -x, or asks which mount a program is
		// from, must not take them for others.
		ctx.set("xino", "on")
	}
	ctx.set("datadir+", objects)
	if c.RequireVerity {
		ctx.set("verity", "require")
	}
	attrs := unix.MOUNT_ATTR_NODEV
	if c.Upper == "" {
		ctx.flag("ro")
		attrs |= unix.MOUNT_ATTR_RDONLY
	} else {
		// A host whose default is index=on would refuse an upper that has seen
		// another image.
		ctx.set("index", "off")
		ctx.set("upperdir", upper)
		ctx.set("workdir", work)
		if c.Volatile {
			ctx.flag("volatile")
		}
		if c.ReadOnly {
			attrs |= unix.MOUNT_ATTR_RDONLY
		}
	}
	return ctx.mount(attrs, c.Image)
}

// mountEROFS mounts the image at path: backed by the file itself, or by a loop
// device where the kernel (before 6.12, or without EROFS_FS_BACKED_BY_FILE)
// knows only block devices.
func mountEROFS(path string) (*Mount, error) {
	m, err := mountEROFSFrom(path)
	if !errors.Is(err, unix.ENOTBLK) {
		return m, err
	}
	device, err := attachLoop(path)
	if err != nil {
		return nil, err
	}
	defer device.Close() // the mount holds it; autoclear frees it with the mount
	return mountEROFSFrom(device.Name())
}

func mountEROFSFrom(source string) (*Mount, error) {
	ctx := newContext("erofs")
	defer ctx.close()
	ctx.set("source", source)
	ctx.flag("ro")
	return ctx.mount(unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NODEV, "EROFS image")
}

// layers opens the directories of an overlay.
type layers struct {
	hidden  string // the directory that the EROFS mount will cover
	unnamed bool   // by descriptors alone
	fds     []int
	err     error
}

// open returns the name of a layer for the overlay's options: its path, which
// people recognise in mountinfo, or that of a descriptor when nobody shall, or
// when the path will be covered, is too long for fsconfig(2) or has characters that overlayfs would
// unescape.
func (l *layers) open(what, path string) string {
	if path == "" || l.err != nil {
		return ""
	}
	fd, err := openPath(path, unix.O_DIRECTORY)
	if err != nil {
		l.err = fmt.Errorf("%s directory: %w", what, err)
		return ""
	}
	l.fds = append(l.fds, fd)
	covered := path == l.hidden || strings.HasPrefix(path, l.hidden+"/")
	if l.unnamed || covered || len(path) > maxValue || strings.ContainsAny(path, `\:,`) || !filepath.IsAbs(path) {
		return fdPath(fd)
	}
	return path
}

func (l *layers) close() {
	for _, fd := range l.fds {
		unix.Close(fd)
	}
}
