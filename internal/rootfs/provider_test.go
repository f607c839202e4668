package rootfs

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTheHostsUmaskAndGroupsStayOutside provides a root under a strict umask
// in a store whose directories pass on their group.
func TestTheHostsUmaskAndGroupsStayOutside(t *testing.T) {
	s := openStore(t)
	before := pkg(t, s, stanza("a"), "/data/a =one").Files
	scratch, err := s.TempDir("group")
	if err != nil {
		t.Fatal(err)
	}
	parent := scratch + "/.."
	if err := os.Chown(parent, 0, 4242); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(parent, 0o700|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	defer unix.Umask(unix.Umask(0o077))
	provided, err := Overlay{OnDisk: true}.Provide(s, before, true)
	if err != nil {
		t.Fatal(err)
	}
	defer provided.Close()
	var root unix.Stat_t
	if err := unix.Lstat(provided.(*layered).upper(), &root); err != nil {
		t.Fatal(err)
	}
	if root.Mode&0o7777 != 0o755 || root.Uid != 0 || root.Gid != 0 {
		t.Errorf("the root has the mode %o, user %d and group %d", root.Mode&0o7777, root.Uid, root.Gid)
	}
}
