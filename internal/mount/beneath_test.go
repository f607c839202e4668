package mount

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFilesOfTwoImagesAreOnOneDevice has one image beneath another.
func TestFilesOfTwoImagesAreOnOneDevice(t *testing.T) {
	base := t.TempDir()
	f := newFixture(t, base)
	c, target := f.spec(), filepath.Join(base, "usr")
	c.Beneath = filepath.Join(filepath.Dir(f.image), "beneath")
	writeImage(t, c.Beneath, map[string]string{"/directory/beneath": "/ab/cdef"})
	attach(t, c, target)
	wantContent(t, filepath.Join(target, "directory", "beneath"), content)
	wantContent(t, filepath.Join(target, "directory", "file"), content)
	var root unix.Stat_t
	check(t, unix.Stat(target, &root))
	for _, name := range []string{"file", "directory", "directory/file", "directory/beneath"} {
		var stat unix.Stat_t
		check(t, unix.Stat(filepath.Join(target, name), &stat))
		if stat.Dev != root.Dev {
			t.Errorf("%s is on device %#x, and the mount on %#x", name, stat.Dev, root.Dev)
		}
	}
}
