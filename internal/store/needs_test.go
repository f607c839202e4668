package store

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"stet/internal/tree"
	"stet/internal/verity"
)

// system puts a small system into a store, and gives its digest.
func system(t *testing.T, s *Store, files ...string) (digest string, objects []verity.Digest, image verity.Digest) {
	t.Helper()
	put := func(content string) verity.Digest {
		d, err := s.PutBytes([]byte(content))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	entries := []tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}, {Path: "/empty", Type: tree.Regular, Mode: 0o644}}
	for _, content := range append(files, "kernel") {
		objects = append(objects, put(content))
		entries = append(entries, tree.Entry{Path: "/" + content, Type: tree.Regular, Mode: 0o644, Size: int64(len(content)), Digest: objects[len(objects)-1]})
	}
	made, err := tree.New(entries)
	if err != nil {
		t.Fatal(err)
	}
	treeDigest, err := s.PutTree(made)
	if err != nil {
		t.Fatal(err)
	}
	if image, err = s.PutImage(func(w io.Writer) error { _, err := io.WriteString(w, "image of "+treeDigest); return err }); err != nil {
		t.Fatal(err)
	}
	objects = append(objects, put("initrd"))
	manifest, err := json.Marshal(map[string]any{
		"format": 1, "trees": map[string]string{"usr": treeDigest}, "images": map[string]verity.Digest{"usr": image},
		"kernel": objects[len(files)], "initrd": objects[len(files)+1],
	})
	if err != nil {
		t.Fatal(err)
	}
	if digest, err = s.PutSystem(manifest); err != nil {
		t.Fatal(err)
	}
	return digest, objects, image
}

func TestMissingNamesWhatIsNotThereWhole(t *testing.T) {
	s := open(t)
	digest, objects, image := system(t, s, "one", "two", "three")
	missing, err := s.Missing(digest)
	if err != nil || len(missing) != 0 {
		t.Fatalf("a whole system misses %q, %v", missing, err)
	}
	gone, short, initrd := s.ObjectPath(objects[0]), s.ObjectPath(objects[1]), s.ObjectPath(objects[4])
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{short: "", initrd: "INITRD", s.ImagePath(image): "another image"} {
		if err := errors.Join(os.Remove(name), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	missing, err = s.Missing(digest)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{s.relative(gone), s.relative(short), s.relative(initrd), "images/" + image.String()}
	slices.Sort(want)
	if !slices.Equal(missing, want) {
		t.Errorf("it misses %q\nwant %q", missing, want)
	}
}

// What a system shares with the one that runs is not looked at; what it starts with is.
func TestMissingBesideWhatRuns(t *testing.T) {
	s := open(t)
	running, objects, image := system(t, s, "one", "two")
	text, err := s.System(running)
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	own, err := s.PutBytes([]byte("own"))
	if err != nil {
		t.Fatal(err)
	}
	etc, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}, {Path: "/own", Type: tree.Regular, Mode: 0o644, Size: 3, Digest: own}})
	if err != nil {
		t.Fatal(err)
	}
	trees := manifest["trees"].(map[string]any)
	if trees["etc"], err = s.PutTree(etc); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	next, err := s.PutSystem(text)
	if err != nil {
		t.Fatal(err)
	}
	shared, initrd := s.ObjectPath(objects[0]), s.ObjectPath(objects[3])
	for _, name := range []string{shared, initrd, s.ObjectPath(own), s.ImagePath(image)} {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	lacks := []string{s.relative(initrd), s.relative(s.ObjectPath(own)), "images/" + image.String()}
	slices.Sort(lacks)
	all := slices.Sorted(slices.Values(append([]string{s.relative(shared)}, lacks...)))
	for _, c := range []struct {
		system, running string
		want            []string
	}{
		{next, running, lacks},
		{next, "", all},
		{next, next, all},
	} {
		if missing, err := s.MissingBeside(c.system, c.running); err != nil || !slices.Equal(missing, c.want) {
			t.Errorf("beside %.6q it misses %q, %v\nwant %q", c.running, missing, err, c.want)
		}
	}
}

func TestNeedsOfASystemThatCannotBeFollowed(t *testing.T) {
	s := open(t)
	digest, objects, _ := system(t, s, "one", "two")
	needs, err := s.Needs(digest)
	if err != nil {
		t.Fatal(err)
	}
	if len(needs.Trees) != 1 || len(needs.Images) != 1 || len(needs.Objects) != 3 || needs.Kernel != objects[2] || needs.Initrd != objects[3] {
		t.Errorf("it needs %+v", needs)
	}
	if _, err := s.Missing(strings.Repeat("0", 64)); err == nil {
		t.Error("a system that is not there misses nothing")
	}
	for text, want := range map[string]string{`{"format":2}`: "use the Stet that built it", `[]`: "read the manifest", `{"format":1,"trees":{"usr":"../../lock"}}`: "not a SHA-256 digest"} {
		d, err := s.PutSystem([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Needs(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", text, err, want)
		}
	}
	if err := os.Remove(s.dir + "/trees/" + needs.Trees[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Missing(digest); err == nil {
		t.Error("without its tree it misses nothing")
	}
}
