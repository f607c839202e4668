package layout

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
)

// probeText is what the probe's object holds.
const probeText = "laid out\n"

// FollowsRedirects tells whether the kernel's overlay finds the content of a
// file in the objects, by trying it in the directory dir, which is empty and
// the caller's to remove. Linux does so since 6.16. An error says why no
// overlay can be there at all.
func FollowsRedirects(dir string) (bool, error) {
	lower, objects, upper := filepath.Join(dir, "lower"), filepath.Join(dir, "objects"), filepath.Join(dir, "upper")
	for _, name := range []string{lower, objects, upper} {
		if err := os.Mkdir(name, 0o700); err != nil {
			return false, err
		}
	}
	if err := unix.Setxattr(upper, overlayPrefix+"opaque", []byte("y"), 0); err != nil {
		return false, fmt.Errorf("the file system of %s keeps no attributes of ordinary users (user.*): %w", dir, err)
	}
	if err := os.WriteFile(filepath.Join(objects, "object"), []byte(probeText), 0o600); err != nil {
		return false, err
	}
	file, err := os.Create(filepath.Join(lower, "file"))
	if err != nil {
		return false, err
	}
	defer file.Close()
	if err := (Writer{}).redirect(file, "/object", int64(len(probeText))); err != nil {
		return false, err
	}
	mounted, err := mount.Overlay{Lower: lower, Objects: objects}.Mount()
	if err != nil {
		return false, nil // an older kernel
	}
	defer mounted.Close()
	text, err := os.ReadFile(filepath.Join(mounted.Root(), "file"))
	return err == nil && string(text) == probeText, nil
}
