package disk

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestQcow2HasWhatTheRawImageHas(t *testing.T) {
	for name, pieces := range map[string]map[int64][]byte{
		"nothing":  {},
		"the ends": {0: []byte("a"), 3<<30 - 1: []byte("z")},
		"edges":    {cluster - 1: []byte("ab"), 5 * cluster: bytes.Repeat([]byte{1}, 3*cluster), 1<<29 - 3: []byte("across"), 7 * cluster: make([]byte, cluster)},
		"much":     {1 << 20: bytes.Repeat([]byte("stet"), 40<<20/4)},
	} {
		dir := t.TempDir()
		raw, err := os.Create(filepath.Join(dir, "raw"))
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		out, err := os.Create(filepath.Join(dir, "qcow2"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if err := raw.Truncate(3 << 30); err != nil {
			t.Fatal(err)
		}
		for at, data := range pieces {
			if _, err := raw.WriteAt(data, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := writeQcow2(raw, out, 3<<30); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.Command("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw.Name(), out.Name()).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, said)
		}
		said, err := exec.Command("qemu-img", "check", "--output=json", out.Name()).Output()
		var report struct {
			Errors int `json:"check-errors"`
			Leaks  int `json:"leaks"`
		}
		if jsonErr := json.Unmarshal(said, &report); err != nil || jsonErr != nil || report.Errors != 0 || report.Leaks != 0 {
			t.Errorf("%s: qemu-img check: %v\n%s", name, err, said)
		}
	}
}
