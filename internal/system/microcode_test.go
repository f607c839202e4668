package system

import (
	"testing"

	"stet/internal/store"
	"stet/internal/tree"
)

func TestMicrocodeIsGatheredInOrder(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := tree.NewBuilder()
	for name, content := range map[string]string{
		"intel-ucode/06-55-04": "b", "intel-ucode/06-0f-02": "a", "intel-ucode/06-4f-01.initramfs": "+",
		"amd-ucode/microcode_amd_fam17h.bin": "z", "amd-ucode/microcode_amd.bin": "y",
		"amd-ucode/microcode_amd.bin.asc": "signature", "amd-ucode/README": "text", "other.bin": "x",
	} {
		d, err := s.PutBytes([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		name = "/lib/firmware/" + name
		b.MakeParents(name, tree.Time{})
		b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644, Size: int64(len(content)), Digest: d})
	}
	usr, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	m, err := microcode(s, usr)
	if err != nil || string(m.Intel) != "a+b" || string(m.AMD) != "yz" {
		t.Errorf("Intel %q, AMD %q, %v", m.Intel, m.AMD, err)
	}
}
