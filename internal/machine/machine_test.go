package machine

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFileModeIsOctalInJSON(t *testing.T) {
	for _, mode := range []uint32{0, 0o644, 0o4755} {
		want := File{Kind: FileText, Text: "x", Mode: mode, User: "root", Group: "root"}
		text, err := json.Marshal(map[string]File{"/etc/x": want})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]File
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got["/etc/x"]); diff != "" {
			t.Errorf("mode %04o does not survive %s:\n%s", mode, text, diff)
		}
	}
	var f File
	if err := json.Unmarshal([]byte(`{"mode":"0x1"}`), &f); err == nil {
		t.Error("a mode that is not octal was taken")
	}
}

func TestDigestNamesTheMachine(t *testing.T) {
	a := Machine{Name: "a", Sysctl: map[string]string{"x": "1", "y": "2"}}
	b := Machine{Name: "a", Sysctl: map[string]string{"y": "2", "x": "1"}}
	if a.Digest() != b.Digest() {
		t.Error("equal machines have different digests")
	}
	b.Sysctl["y"] = "3"
	if a.Digest() == b.Digest() {
		t.Error("different machines have one digest")
	}
}
