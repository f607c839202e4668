package store

import (
	"os"
	"path/filepath"
	"testing"
)

func TestScratchRemembersOnlyWhatItIsTold(t *testing.T) {
	s := open(t)
	for _, stage := range []string{"unpack", "configure"} {
		s.Memoise(stage, "key", []byte("value"))
	}
	before, err := s.PutBytes([]byte("from before"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	dir, err := s.Scratch("unpack", "never used")
	if err != nil {
		t.Fatal(err)
	}
	second, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := second.Memo("unpack", "key"); !ok {
		t.Error("it forgot what it should share")
	}
	if _, ok := second.Memo("configure", "key"); ok {
		t.Error("it remembers what it should not")
	}
	if data, err := second.ReadObject(before); err != nil || string(data) != "from before" {
		t.Errorf("it reads %q, %v", data, err)
	}
	made, err := second.PutBytes([]byte("from the second"))
	if err != nil {
		t.Fatal(err)
	}
	second.Memoise("configure", "key", []byte("other"))
	if err := second.Publish(); err != nil {
		t.Fatal(err)
	}
	if value, _ := s.Memo("configure", "key"); string(value) != "value" {
		t.Errorf("the first now remembers %q", value)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{s.ObjectPath(before), s.ObjectPath(made), filepath.Join(s.Dir(), "memo/unpack/key")} {
		if _, err := os.Stat(d); err != nil {
			t.Errorf("removing it took away more: %v", err)
		}
	}
}
