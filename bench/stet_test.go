package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestDirectoriesOfRunsAreKeptApart(t *testing.T) {
	dir := t.TempDir()
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		t.Fatal(err)
	}
	keepApart(dir)
	keepApart(filepath.Join(dir, "missing"))
	if stat.Type != unix.EXT4_SUPER_MAGIC {
		t.Skip("FS_TOPDIR_FL is a flag of ext4: the temporary directory is on another file system")
	}
	opened, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	flags, err := unix.IoctlGetUint32(int(opened.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil || flags&topDirectory == 0 {
		t.Errorf("ext4 takes the directories for related: flags %#x, %v", flags, err)
	}
}

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
