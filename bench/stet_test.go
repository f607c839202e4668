package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhatRunsLeftIsRemoved(t *testing.T) {
	b := bench{dir: t.TempDir()}
	for _, name := range []string{"server190.built-0", "server190.mmdebstrap-initramfs-1", "server190.store", "server190.archive-initramfs", "server190"} {
		if err := os.MkdirAll(filepath.Join(b.dir, name, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end() // nobody waits for the disk
	if err := b.settle(ended, "server190.*-[0-9]*", "server190.buildah"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	var left []string
	found, err := os.ReadDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range found {
		left = append(left, entry.Name())
	}
	if diff := cmp.Diff([]string{"server190", "server190.archive-initramfs", "server190.store"}, left); diff != "" {
		t.Error(diff)
	}
	if err := b.settle(ended, "server190.*-[0-9]*"); err != nil {
		t.Errorf("with nothing to remove, it waits: %v", err)
	}
}

// TestAllThatRunsLeaveIsNamed holds the patterns against how they are written: a wrong
// one is found only when all before it has been measured.
func TestAllThatRunsLeaveIsNamed(t *testing.T) {
	for _, m := range measurements {
		for _, pattern := range m.leaves {
			if _, err := filepath.Match(pattern, ""); err != nil {
				t.Errorf("%s leaves %q: %v", m.name, pattern, err)
			}
		}
	}
}
