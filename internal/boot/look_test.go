package boot

import (
	"maps"
	"testing"

	"stet/internal/verity"
)

// TestWhoOnlyLooksHashesNothing has one kernel that is what its name says, and one that
// a power cut left.
func TestWhoOnlyLooksHashesNothing(t *testing.T) {
	e := newESP(t)
	hash := verity.NewHash()
	_, _ = hash.Write([]byte("kernel"))
	whole, torn := KernelPath(hash.Sum()), KernelPath(verity.Digest{1})
	e.file(whole, "kernel")
	e.file(torn, "ker")
	look, err := Look(e.dir)
	if err != nil {
		t.Fatal(err)
	}
	read := e.read()
	for name, size := range map[string]int64{whole: 6, torn: 3} {
		if seen := look.Blobs[name]; seen != (Blob{Size: size}) {
			t.Errorf("who looks sees %+v at %s", seen, name)
		}
		if seen := read.Blobs[name]; seen != (Blob{size, name == whole}) {
			t.Errorf("who reads sees %+v at %s", seen, name)
		}
	}
	if look.Free == 0 || len(look.Entries) != len(read.Entries) || !maps.Equal(look.Needed, read.Needed) {
		t.Errorf("who looks sees %+v, who reads %+v", look, read)
	}
}
