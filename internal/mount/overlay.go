package mount

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Overlay says what an overlay over a plain directory is made of. Unlike
// [Composefs] it can be mounted in a user namespace (Linux 5.11), because it
// keeps its own account in attributes that an ordinary user may write
// (userxattr, overlayfs.rst of the kernel). There it can rename a directory of
// Lower only by copying it.
type Overlay struct {
	Lower   string // the directory below; nobody may change it while it is mounted
	Beneath string // one more directory beneath it; or ""

	// Objects is where the contents are of files of Lower that have none but
	// name one (user.overlay.redirect), since Linux 6.16. It may be empty.
	Objects string

	// Upper and Work make the tree writable, as in [Composefs]. Without them
	// the mount is read-only, and needs Objects.
	Upper, Work string

	Volatile bool   // see [Composefs]
	Unnamed  bool   // see [Composefs]
	Source   string // see [Composefs]
}

// Mount mounts o without a place. Root of a user namespace may mount only in a
// mount namespace that belongs to it, so one is made for that.
func (o Overlay) Mount() (*Mount, error) {
	var m *Mount
	err := inPrivateNamespace(func() error {
		var err error
		m, err = o.mount()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("mount an overlay over %s: %w", o.Lower, err)
	}
	return m, nil
}

func (o Overlay) mount() (*Mount, error) {
	layers := layers{unnamed: o.Unnamed}
	defer layers.close()
	lower := layers.open("lower", o.Lower)
	beneath := layers.open("lower", o.Beneath)
	objects := layers.open("objects", o.Objects)
	upper := layers.open("upper", o.Upper)
	work := layers.open("work", o.Work)
	if layers.err != nil {
		return nil, layers.err
	}
	ctx := newContext("overlay")
	defer ctx.close()
	if o.Source != "" {
		ctx.set("source", o.Source)
	}
	ctx.flag("userxattr")
	ctx.set("lowerdir+", lower)
	if beneath != "" {
		ctx.set("lowerdir+", beneath)
	}
	if objects != "" {
		ctx.set("datadir+", objects)
	}
	attrs := unix.MOUNT_ATTR_NODEV
	if o.Upper == "" {
		ctx.flag("ro")
		attrs |= unix.MOUNT_ATTR_RDONLY
	} else {
		ctx.set("index", "off")
		ctx.set("upperdir", upper)
		ctx.set("workdir", work)
		if o.Volatile {
			ctx.flag("volatile")
		}
	}
	return ctx.mount(attrs, o.Lower)
}
