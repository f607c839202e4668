package store

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/tree"
	"stet/internal/verity"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestPutNamesByContent(t *testing.T) {
	s := open(t)
	for _, size := range []int{1, 4096, bufferSize - 1, bufferSize, bufferSize + 1, 3*bufferSize + 7} {
		data := bytes.Repeat([]byte{byte(size), 1, 2}, size/3+1)[:size]
		d, n, err := s.Put(bytes.NewReader(data))
		if err != nil || n != int64(size) || d != verity.Sum(data) {
			t.Fatalf("%d bytes: %s, %d, %v", size, d, n, err)
		}
		again, err := s.ReadObject(d)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%d bytes: read back %d bytes, %v", size, len(again), err)
		}
		if _, _, err := s.Put(bytes.NewReader(data)); err != nil {
			t.Errorf("%d bytes, put again: %v", size, err)
		}
	}
	left, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp"))
	if len(left) > 0 {
		t.Errorf("%d temporary files are left", len(left))
	}
}

func TestEmptyContentIsNoObject(t *testing.T) {
	s := open(t)
	if d, n, err := s.Put(strings.NewReader("")); err != nil || n != 0 || !d.IsZero() {
		t.Errorf("%s, %d, %v", d, n, err)
	}
}

type failing struct{ after io.Reader }

func (f failing) Read(p []byte) (int, error) {
	n, err := f.after.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestAnInterruptedContentLeavesNothing(t *testing.T) {
	s := open(t)
	for _, size := range []int{10, 2 * bufferSize} {
		if _, _, err := s.Put(failing{bytes.NewReader(make([]byte, size))}); err == nil {
			t.Errorf("%d bytes: no error", size)
		}
	}
	found, _ := filepath.Glob(filepath.Join(s.ObjectsDir(), "*", "*"))
	if len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// A power cut leaves files under their names that lack their contents, since only
// manifests, memos and roots wait for those. Whoever writes such a file again
// makes it whole.
func TestWhatAPowerCutLeftIsReplaced(t *testing.T) {
	s := open(t)
	made, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}})
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("content"), bufferSize)
	put := map[string]func() error{
		filepath.Join("trees", made.Digest()):   func() error { _, err := s.PutTree(made); return err },
		filepath.Join("systems", Name(content)): func() error { _, err := s.PutSystem(content); return err },
		filepath.Join("images", verity.Sum(content).String()): func() error {
			_, err := s.PutImage(func(w io.Writer) error { _, err := w.Write(content); return err })
			return err
		},
	}
	for _, size := range []int{10, len(content)} {
		name, err := filepath.Rel(s.Dir(), s.ObjectPath(verity.Sum(content[:size])))
		if err != nil {
			t.Fatal(err)
		}
		put[name] = func() error { _, _, err := s.Put(bytes.NewReader(content[:size])); return err }
	}
	for name, again := range put {
		path := filepath.Join(s.Dir(), name)
		if err := again(); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for left := range 2 {
			if err := errors.Join(os.Remove(path), os.WriteFile(path, whole[:left], 0o600), again()); err != nil {
				t.Fatal(err)
			}
			if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, whole) {
				t.Errorf("%s of %d bytes: %d bytes are there after it was put again (%v)", name, left, len(have), err)
			}
		}
	}
}

func TestTreeIsCheckedWhenRead(t *testing.T) {
	s := open(t)
	made, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.PutTree(made)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := s.Tree(digest); err != nil || read.Digest() != digest {
		t.Fatalf("%v", err)
	}
	name := filepath.Join(s.Dir(), "trees", digest)
	if err := os.WriteFile(name, []byte("/ 0 40700 1 0 0 0 0.0 - - -\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Tree(digest); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged tree was read: %v", err)
	}
	if _, err := s.Tree("../lock"); err == nil {
		t.Error("a name that is no digest was opened")
	}
}

// rememberedTree puts a small tree into a store that remembers trees.
func rememberedTree(t *testing.T) (s *Store, digest, name string) {
	t.Helper()
	s = open(t)
	made, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}, {Path: "/a", Type: tree.Symlink, Mode: 0o777, Target: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	if digest, err = s.PutTree(made); err != nil {
		t.Fatal(err)
	}
	s.RememberTrees()
	return s, digest, filepath.Join(s.Dir(), "trees", digest)
}

func TestARememberedTreeIsReadOnce(t *testing.T) {
	s, digest, name := rememberedTree(t)
	first, err := s.Tree(digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Tree(digest); err != nil || again != first {
		t.Errorf("it was read once more: %v", err)
	}
	if files, err := s.Files(digest); err != nil || files != tree.Files(first) {
		t.Errorf("it was read once more, for little of it: %v", err)
	}
}

func TestLittleOfATreeIsReadOnce(t *testing.T) {
	s, digest, name := rememberedTree(t)
	for range 2 {
		files, err := s.Files(digest)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := files.Lookup("/a"); !ok || e.Target != "b" {
			t.Errorf("it has %+v", e)
		}
		_ = os.Remove(name) // the first time
	}
	if err := os.WriteFile(name, []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Store{dir: s.dir}).Files(digest); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged one: %v", err)
	}
}

func TestMemosAreSeenByOthersOnlyWhenPublished(t *testing.T) {
	s := open(t)
	other, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s.Memoise("stage", "key", []byte("value"))
	if v, ok := s.Memo("stage", "key"); !ok || string(v) != "value" {
		t.Errorf("own memo: %q, %v", v, ok)
	}
	if _, ok := other.Memo("stage", "key"); ok {
		t.Error("seen before it was published")
	}
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	if v, ok := other.Memo("stage", "key"); !ok || string(v) != "value" {
		t.Errorf("published memo: %q, %v", v, ok)
	}
}

func TestANewerStoreIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "format.json"), []byte(`{"version":9,"min_reader":8}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "newer Stet") {
		t.Errorf("have %v", err)
	}
}

func TestWhoIsAloneRemovesWhatTheKilledLeft(t *testing.T) {
	s := open(t)
	dir, err := s.TempDir("root")
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("a second process removed what the first one uses: %v", err)
	}
	second.Close()
	s.Close() // as a killed process does: without removing anything
	third, err := Open(s.Dir())
	if err != nil {
		t.Fatal(err)
	}
	defer third.Close()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("what was left is still there: %v", err)
	}
}
