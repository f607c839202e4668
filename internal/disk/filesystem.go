package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/gpt"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/sandbox"
	"stet/internal/tree"
)

// label is the file system's label.
const label = "stet"

// Tools are what makes a file system: programs of the lock, and how they run.
type Tools struct {
	Root     *tree.Tree // has mke2fs(8) and debugfs(8) of e2fsprogs, and systemd-boot
	Provider rootfs.Provider
	Epoch    int64 // the time of everything that is made
}

// place is where on a disk the file system is.
type place struct {
	path         string // of a file or device
	offset, size int64  // bytes
}

// fileSystem makes the file system with the content at a place, where nothing but
// zeros may be.
func (t Tools) fileSystem(ctx context.Context, c Content, ids Identities, at place) (err error) {
	needs, err := c.amount()
	if err != nil {
		return err
	}
	if err := checkRoom(c, at, needs); err != nil {
		return err
	}
	dir, err := c.Store.TempDir("disk")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	content, large := filepath.Join(dir, "stage"), filepath.Join(dir, "large")
	if err := errors.Join(os.Mkdir(content, 0o700), os.Mkdir(large, 0o700)); err != nil {
		return err
	}
	s, err := c.fill(ctx, content)
	if err != nil {
		return fmt.Errorf("gather the disk's content: %w", err)
	}
	if err := s.settle(t.Epoch); err != nil {
		return fmt.Errorf("gather the disk's content: %w", err)
	}
	if err := c.restore(s); err != nil {
		return err
	}
	fault.Reach(fault.StageFilled)
	c.Report.Report(progress.Event{Stage: "make the file system"})
	provided, err := t.Provider.Provide(c.Store, t.Root, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provided.Close()) }()
	mounts := []sandbox.Mount{
		{Target: "/mnt/stage", Bind: &sandbox.Bind{Source: content, ReadOnly: true}},
		{Target: slotsPlace, Bind: &sandbox.Bind{Source: large, ReadOnly: true}},
		{Target: "/mnt/disk", Bind: &sandbox.Bind{Source: at.path}},
	}
	run := func(ctx context.Context, dated bool, spec sandbox.Spec) error {
		root, err := provided.Root()
		if err != nil {
			return err
		}
		spec.Root, spec.Env, spec.Stderr = append(root, mounts...), t.environment(dated), spec.Stdout
		return sandbox.Run(ctx, spec)
	}
	// Of saved state, every time is kept.
	var said bytes.Buffer
	if err := run(ctx, c.State == "", sandbox.Spec{Argv: mke2fs(ids, at), Stdout: &said}); err != nil {
		return fmt.Errorf("make the file system of %d MB: %w: %s", at.size/1e6, err, strings.TrimSpace(said.String()))
	}
	p := pourer{store: c.Store, report: c.Report, dir: large}
	err = p.pour(ctx, s.commands(), needs.objects, func(ctx context.Context, commands *os.File, said io.Writer, files []*os.File) error {
		argv := []string{"debugfs", "-w", "-f", "-", fmt.Sprintf("/mnt/disk?offset=%d", at.offset)}
		return run(ctx, true, sandbox.Spec{Argv: argv, Stdin: commands, Stdout: said, Files: files})
	})
	if err != nil {
		return fmt.Errorf("write the objects: %w", err)
	}
	return nil
}

// fileSystemFits is checkRoom before a disk is changed.
func (t Tools) fileSystemFits(c Content, table *gpt.Table) error {
	needs, err := c.amount()
	if err != nil {
		return err
	}
	store := table.Partitions[len(table.Partitions)-1]
	return checkRoom(c, place{os.DevNull, store.Start, store.Size}, needs)
}

// checkRoom refuses what cannot end well, before anything is written: a part of the
// content is laid out in the store, and all of it is written to the disk.
func checkRoom(c Content, at place, needs amount) error {
	if room := at.size / 100 * 94; needs.bytes > room { // the rest is for inodes and the journal
		return fmt.Errorf("the system takes %d MB, and its file system has room for %d: make disk.size larger", needs.bytes/1e6, room/1e6)
	}
	need := map[string]int64{c.Store.Dir(): needs.staged}
	if info, err := os.Stat(at.path); err != nil {
		return err
	} else if info.Mode().IsRegular() {
		need[filepath.Dir(at.path)] += needs.bytes
	}
	for dir, bytes := range need {
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			return fmt.Errorf("look for room in %s: %w", dir, err)
		}
		if free := int64(stat.Bavail) * stat.Bsize; free < bytes {
			return fmt.Errorf("the image needs %d MB of room in %s, and %d MB are left: %w", bytes/1e6, dir, free/1e6, unix.ENOSPC)
		}
	}
	return nil
}

// settle gives everything in the stage the epoch as its time, and sorts what is
// sealed.
func (s *stage) settle(epoch int64) error {
	slices.SortFunc(s.sealed, func(a, b sealed) int { return strings.Compare(a.name, b.name) })
	at := unix.NsecToTimespec(time.Unix(epoch, 0).UnixNano())
	return filepath.WalkDir(s.dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return unix.UtimesNanoAt(unix.AT_FDCWD, name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

// commands tell debugfs(8) which files of the stage are sealed.
func (s *stage) commands() string {
	var out strings.Builder
	for _, f := range s.sealed {
		out.WriteString(sealing("/"+f.name, f.size))
	}
	return out.String()
}

// mke2fs is the command that makes the file system of the stage. The file of orphaned
// inodes is small: a mount reads all of it, and mke2fs's own size of 512 blocks takes an
// emulated machine a tenth of a second at each boot.
func mke2fs(ids Identities, at place) []string {
	extended := []string{
		"nodiscard", "lazy_itable_init=1", "lazy_journal_init=1", "orphan_file_size=64k", "root_owner=0:0",
		"hash_seed=" + ids("hash seed").String(), fmt.Sprintf("offset=%d", at.offset),
	}
	return []string{
		"mke2fs", "-q", "-F", "-t", "ext4", "-O", "verity", "-L", label, "-m", "0", "-b", "4096", "-i", "16384",
		"-U", ids("file system").String(), "-E", strings.Join(extended, ","),
		"-d", "/mnt/stage", "/mnt/disk", fmt.Sprintf("%dk", at.size/1024),
	}
}

// environment is that of the tools. When dated, nothing that they make is younger
// than the epoch.
func (t Tools) environment(dated bool) []string {
	all := []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", "MKE2FS_SKIP_PROGRESS=1", "MKE2FS_DEVICE_SECTSIZE=512"}
	if dated {
		all = append(all, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", t.Epoch))
	}
	return all
}

// Identities draws the UUIDs of a disk: one for each purpose.
type Identities func(purpose string) gpt.GUID
