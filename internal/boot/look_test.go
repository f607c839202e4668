package boot

import (
	"maps"
	"slices"
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

// TestWhatStartedTheMachineIsNotHashed has two generations whose kernels are torn: of
// the one that was booted only the size counts.
func TestWhatStartedTheMachineIsNotHashed(t *testing.T) {
	e := newESP(t)
	started, other := KernelPath(verity.Digest{1}), KernelPath(verity.Digest{2})
	e.file(started, "kernel")
	e.file(other, "kernel")
	e.file(EntriesDir+"/stet-1.conf", "linux /"+started+"\n")
	e.file(EntriesDir+"/stet-2.conf", "linux /"+other+"\n")
	read, err := Read(e.dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, whole := range map[string]bool{started: true, other: false} {
		if seen := read.Blobs[name]; seen != (Blob{6, whole}) {
			t.Errorf("%s is %+v", name, seen)
		}
	}
	for size, want := range map[int64][]Action{6: {WriteEntry}, 7: {WriteKernel, WriteEntry}} {
		w := Wanted{Entry: Entry{Generation: 1, Kernel: verity.Digest{1}}, KernelSize: size}
		read.Blobs[InitrdPath(w.Initrd)] = Blob{0, true}
		plan, err := read.Plan(Request{Wanted: []Wanted{w}, Booted: 1})
		if err != nil {
			t.Fatal(err)
		}
		var have []Action
		for _, step := range plan.Steps {
			if step.Action != RemoveBlob && step.Action != RemoveEntry {
				have = append(have, step.Action)
			}
		}
		if !slices.Equal(have, want) {
			t.Errorf("for a kernel of %d bytes: %v, want %v", size, have, want)
		}
	}
}
