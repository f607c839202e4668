package program

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"stet/internal/lock"
)

// ReadLock reads the lock of a repository.
func ReadLock(t testing.TB, dir string) *lock.Lock {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, lock.FileName))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lock.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Deb is where a store keeps a fetched package.
func Deb(store string, p lock.Package) string {
	return filepath.Join(store, "mirror", "debs", p.SHA256+".deb")
}

// GiveDebs puts every package of a repository's lock into another store, which
// then has what `stet fetch` would have brought and nothing else.
func (p Program) GiveDebs(t testing.TB, store string) {
	t.Helper()
	for _, locked := range ReadLock(t, p.Dir).Packages {
		if !locked.Synthetic {
			p.GiveDeb(t, store, locked)
		}
	}
}

// GiveDeb is GiveDebs of one package.
func (p Program) GiveDeb(t testing.TB, store string, locked lock.Package) {
	t.Helper()
	if err := linkOrCopy(Deb(p.Store(t), locked), Deb(store, locked)); err != nil {
		t.Fatal(err)
	}
}

func linkOrCopy(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
