package disk

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"stet/internal/state"
)

// TestRestoreCompletesWhatOnlyHasAnotherMode has an upper directory of /etc as a
// machine leaves it: of a file that was only chmodded, there is a hole of its size.
func TestRestoreCompletesWhatOnlyHasAnotherMode(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("trusted extended attributes, which overlayfs uses, need CAP_SYS_ADMIN")
	}
	saved, image := t.TempDir(), filepath.Join(t.TempDir(), "object")
	upper, err := state.Begin(filepath.Join(saved, "etc"), nil, "image")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(image, []byte("declared\n"), 0o644))
	must(os.MkdirAll(filepath.Join(upper.Upper(), "kept"), 0o755))
	for name, text := range map[string]string{"own": "own\n", "mode": "", "gone": ""} {
		file := filepath.Join(upper.Upper(), "kept", name)
		must(os.WriteFile(file, []byte(text), 0o640))
		if text == "" {
			must(os.Truncate(file, 9))
			must(unix.Setxattr(file, "trusted.overlay.metacopy", nil, 0))
		}
	}
	_, err = upper.Finish()
	must(err)

	s := &stage{dir: t.TempDir()}
	declared := func(name string) (content string) {
		if name == "kept/mode" {
			return image
		}
		return ""
	}
	must(s.restore(saved, state.Policy{Persist: []string{"/etc/kept"}}, "image", declared))
	uppers, err := state.Uppers(filepath.Join(s.dir, "state/etc"))
	if err != nil || len(uppers) != 1 {
		t.Fatal(uppers, err)
	}
	for name, want := range map[string]string{"own": "own\n", "mode": "declared\n"} {
		file := filepath.Join(uppers[0].Upper(), "kept", name)
		have, err := os.ReadFile(file)
		if err != nil || string(have) != want {
			t.Errorf("%s has %q, %v, want %q", name, have, err, want)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%s is %v, %v", name, info, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(uppers[0].Upper(), "kept/gone")); !os.IsNotExist(err) {
		t.Errorf("what the new system does not have is there: %v", err)
	}
}
