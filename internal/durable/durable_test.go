package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFileIsWrittenAnewForItsOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "record")
	for _, text := range []string{"a longer text\n", "short\n", ""} {
		if err := errors.Join(Write(name, []byte(text)), Sync(filepath.Dir(name))); err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(name)
		if err != nil || string(have) != text {
			t.Errorf("it has %q, %v; want %q", have, err, text)
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("its mode is %v, %v", info.Mode(), err)
		}
	}
}

func TestWhatCannotBeWrittenIsNamed(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for what, err := range map[string]error{"a file": Write(filepath.Join(missing, "x"), nil), "a directory": Sync(missing)} {
		var at *fs.PathError
		if !errors.As(err, &at) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s that is not there: %v", what, err)
		}
	}
}
