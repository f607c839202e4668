package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheNewestNoteOfADeviceCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "devices")
	if have, err := ReadDevices(file); err != nil || len(have) != 0 {
		t.Errorf("a missing record: %v, %v", have, err)
	}
	for _, d := range []Device{{"0:27", "usr", "a"}, {"0:28", "etc", "b"}, {"0:27", "usr", "c"}} {
		if err := d.Note(file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "0:28 etc half"...), 0o644); err != nil {
		t.Fatal(err)
	}
	have, err := ReadDevices(file)
	want := Devices{"0:27": {"0:27", "usr", "c"}, "0:28": {"0:28", "etc", "b"}}
	if diff := cmp.Diff(want, have); err != nil || diff != "" {
		t.Error(diff, err)
	}
}
