package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"stet/internal/fault"
	"stet/internal/tree"
	"stet/internal/verity"
)

type memoKey struct{ stage, key string }

// PutTree stores a tree and gives its digest.
func (s *Store) PutTree(t *tree.Tree) (string, error) {
	var text bytes.Buffer
	if err := t.Dump(&text); err != nil {
		return "", err
	}
	digest := sha256Hex(text.Bytes())
	name := filepath.Join(s.dir, "trees", digest)
	if has(name, text.Bytes()) {
		return digest, nil
	}
	return digest, s.writeFile(name, text.Bytes())
}

// has reports whether a file has a text. One with its name and another text is what
// a power cut left.
func has(name string, text []byte) bool {
	have, err := os.ReadFile(name)
	return err == nil && bytes.Equal(have, text)
}

// RememberTrees has every tree be read once. It is for who asks for the same few again
// and again, and changes none: of a build's many trees each is needed for a moment.
func (s *Store) RememberTrees() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trees == nil {
		s.trees, s.texts = map[string]*tree.Tree{}, map[string]*tree.Lines{}
	}
}

// Tree reads the tree of a digest. A damaged tree is an error.
func (s *Store) Tree(digest string) (*tree.Tree, error) {
	return remembered(s, &s.trees, digest, tree.ParseOwn)
}

// Files gives the tree of a digest to who asks for little of it. A damaged tree is an
// error.
func (s *Store) Files(digest string) (tree.Files, error) {
	s.mu.Lock()
	whole := s.trees[digest]
	s.mu.Unlock()
	if whole != nil {
		return whole, nil
	}
	return s.lines(digest)
}

// TreePart reads of a tree what is at some places and below them, with the
// directories that lead there. A damaged tree is an error.
func (s *Store) TreePart(digest string, places ...string) (*tree.Tree, error) {
	lines, err := s.lines(digest)
	if err != nil {
		return nil, err
	}
	part, err := lines.Part(places...)
	if err != nil {
		return nil, fmt.Errorf("read tree %s: %w", digest, err)
	}
	return part, nil
}

func (s *Store) lines(digest string) (*tree.Lines, error) {
	return remembered(s, &s.texts, digest, tree.OwnLines)
}

// remembered reads a tree in one of both ways: once, where trees are remembered.
func remembered[T any](s *Store, all *map[string]*T, digest string, parse func(text []byte) (*T, error)) (*T, error) {
	s.mu.Lock()
	known := (*all)[digest]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	text, err := s.readChecked("trees", digest)
	if err != nil {
		return nil, err
	}
	read, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read tree %s: %w", digest, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if *all != nil {
		(*all)[digest] = read
	}
	return read, nil
}

// PutSystem stores the manifest of a system and gives its digest. Everything
// the manifest names must be in the store; it is made durable first.
func (s *Store) PutSystem(manifest []byte) (string, error) {
	digest := sha256Hex(manifest)
	name := filepath.Join(s.dir, "systems", digest)
	if has(name, manifest) {
		return digest, nil
	}
	if err := s.Sync(); err != nil {
		return "", err
	}
	if err := s.writeFile(name, manifest); err != nil {
		return "", err
	}
	fault.Reach(fault.SystemPublished)
	return digest, nil
}

// System reads the manifest of a digest.
func (s *Store) System(digest string) ([]byte, error) { return s.readChecked("systems", digest) }

// readChecked reads a record that is named by its SHA-256.
func (s *Store) readChecked(kind, digest string) ([]byte, error) {
	return s.readCheckedInto(kind, digest, nil)
}

func (s *Store) readCheckedInto(kind, digest string, buffer []byte) ([]byte, error) {
	if len(digest) != hex.EncodedLen(sha256.Size) || filepath.Base(digest) != digest {
		return nil, fmt.Errorf("%q is not a SHA-256 digest", digest)
	}
	name := filepath.Join(s.dir, kind, digest)
	text, err := readFile(name, buffer)
	if err != nil {
		return nil, fmt.Errorf("read from store: %w", err)
	}
	if sha256Hex(text) != digest {
		return nil, fmt.Errorf("%s is damaged: its content is not what its name says; delete it and build again", name)
	}
	return text, nil
}

// readFile is os.ReadFile into a buffer.
func readFile(name string, buffer []byte) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	text := slices.Grow(buffer[:0], int(info.Size()))[:info.Size()]
	_, err = io.ReadFull(file, text)
	return text, err
}

// PutImage stores an image that write produces, named by its fs-verity digest.
func (s *Store) PutImage(write func(io.Writer) error) (verity.Digest, error) {
	var image bytes.Buffer
	if err := write(&image); err != nil {
		return verity.Digest{}, err
	}
	d := verity.Sum(image.Bytes())
	if isWhole(s.ImagePath(d), int64(image.Len())) {
		return d, nil
	}
	return d, s.writeSealed(s.ImagePath(d), &image)
}

// ImagePath is where the image of a digest is or would be.
func (s *Store) ImagePath(d verity.Digest) string {
	return filepath.Join(s.dir, "images", d.String())
}

// SystemPath is where the manifest of a system is or would be.
func (s *Store) SystemPath(digest string) string {
	return filepath.Join(s.dir, "systems", digest)
}

// Memo gives what a stage remembered for a key.
func (s *Store) Memo(stage, key string) ([]byte, bool) {
	s.mu.Lock()
	value, ok := s.pending[memoKey{stage, key}]
	s.mu.Unlock()
	if ok {
		return value, true
	}
	name := s.memoPath(stage, key)
	value, err := os.ReadFile(name)
	if err == nil {
		s.touch(name)
	}
	// After a power cut a memo may be empty; that one remembers nothing.
	return value, err == nil && len(value) > 0
}

// touched is how old the time of a memo may become while it is used: collecting
// by age counts in days.
const touched = 24 * time.Hour

// touch says that a memo is in use. One that cannot be touched only looks older.
func (s *Store) touch(name string) {
	if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > touched {
		now := time.Now()
		_ = os.Chtimes(name, now, now)
	}
}

// Memoise remembers a value for a stage and key. Other processes see it after
// Publish, when everything it names is durable.
func (s *Store) Memoise(stage, key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[memoKey{stage, key}] = value
}

// MemoiseOutside remembers, at once, what names nothing in the store: nothing has to be
// durable before.
func (s *Store) MemoiseOutside(stage, key string, value []byte) error {
	return s.writeFile(s.memoPath(stage, key), value)
}

// Publish makes everything durable that was written, and then the memos visible that
// were there when it was called. Without new memos it does nothing.
func (s *Store) Publish() error {
	s.mu.Lock()
	ready := maps.Clone(s.pending)
	s.mu.Unlock()
	if len(ready) == 0 {
		return nil
	}
	if err := s.Sync(); err != nil {
		return err
	}
	for k, value := range ready {
		if err := s.writeFile(s.memoPath(k.stage, k.key), value); err != nil {
			return err
		}
		s.mu.Lock()
		if bytes.Equal(s.pending[k], value) {
			delete(s.pending, k)
		}
		s.mu.Unlock()
	}
	return nil
}

func (s *Store) memoPath(stage, key string) string {
	return filepath.Join(s.dir, "memo", stage, key)
}

// SetRoot writes the record called name, which keeps what it names.
func (s *Store) SetRoot(name string, record []byte) error {
	return s.writeFile(filepath.Join(s.dir, "roots", name), record)
}

// Name is how a tree or a manifest with this text is called.
func Name(text []byte) string { return sha256Hex(text) }

// Root reads the record called name.
func (s *Store) Root(name string) (record []byte, ok bool) {
	record, err := os.ReadFile(filepath.Join(s.dir, "roots", name))
	return record, err == nil
}

// SetInputs writes the record of what the last build called name was made of. It
// keeps nothing: a lost one only says less of the next build.
func (s *Store) SetInputs(name string, record []byte) error {
	return s.writeFile(filepath.Join(s.dir, "inputs", name), record)
}

// Inputs reads the record that SetInputs wrote.
func (s *Store) Inputs(name string) (record []byte, ok bool) {
	record, err := os.ReadFile(filepath.Join(s.dir, "inputs", name))
	return record, err == nil
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
