package disk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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
	objects, bytes, err := c.objects()
	if err != nil {
		return err
	}
	if err := checkRoom(c, at, bytes); err != nil {
		return err
	}
	dir, err := c.Store.TempDir("disk")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	content := filepath.Join(dir, "stage")
	if err := os.Mkdir(content, 0o700); err != nil {
		return err
	}
	s, err := c.fill(ctx, content, objects)
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
	provided, err := t.Provider.Provide(c.Store, t.Root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provided.Close()) }()
	commands := filepath.Join(dir, "commands")
	if err := os.WriteFile(commands, s.commands(), 0o600); err != nil {
		return err
	}
	mounts := []sandbox.Mount{
		{Target: "/mnt/stage", Bind: &sandbox.Bind{Source: content, ReadOnly: true}},
		{Target: "/mnt/commands", Bind: &sandbox.Bind{Source: commands, ReadOnly: true}},
		{Target: "/mnt/disk", Bind: &sandbox.Bind{Source: at.path}},
	}
	run := func(argv ...string) (string, error) {
		root, err := provided.Root()
		if err != nil {
			return "", err
		}
		return t.run(ctx, append(root, mounts...), c.State == "", argv)
	}
	if err := mke2fs(run, ids, at); err != nil {
		return fmt.Errorf("make the file system of %d MB: %w", at.size/1e6, err)
	}
	if err := debugfs(run, at); err != nil {
		return fmt.Errorf("seal the objects: %w", err)
	}
	return nil
}

// fileSystemFits is checkRoom before a disk is changed.
func (t Tools) fileSystemFits(c Content, table *gpt.Table) error {
	_, bytes, err := c.objects()
	if err != nil {
		return err
	}
	store := table.Partitions[len(table.Partitions)-1]
	return checkRoom(c, place{os.DevNull, store.Start, store.Size}, bytes)
}

// checkRoom refuses what cannot end well, before anything is written: the content
// is laid out in the store, and written to the disk.
func checkRoom(c Content, at place, bytes int64) error {
	if room := at.size / 100 * 94; bytes > room { // the rest is for inodes and the journal
		return fmt.Errorf("the system takes %d MB, and its file system has room for %d: make disk.size larger", bytes/1e6, room/1e6)
	}
	need := map[string]int64{c.Store.Dir(): bytes}
	if info, err := os.Stat(at.path); err != nil {
		return err
	} else if info.Mode().IsRegular() {
		need[filepath.Dir(at.path)] += bytes
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

// settle gives everything in the stage the epoch as its time, and sorts what
// several workers found.
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

// inodeFlags are those of a sealed file: EXT4_EXTENTS_FL and EXT4_VERITY_FL.
const inodeFlags = 0x00180000

// commands tell debugfs(8) which files are sealed. mke2fs wrote them as if the
// metadata were content, and cannot set the flag.
func (s *stage) commands() []byte {
	var out bytes.Buffer
	for _, f := range s.sealed {
		fmt.Fprintf(&out, "sif /%s size %d\nsif /%s flags %#x\n", f.name, f.size, f.name, inodeFlags)
	}
	return out.Bytes()
}

// mke2fs makes the file system of the stage. The file of orphaned inodes is
// small: a mount reads all of it, and mke2fs's own size of 512 blocks takes an
// emulated machine a tenth of a second at each boot.
func mke2fs(run runFunc, ids Identities, at place) error {
	extended := []string{
		"nodiscard", "lazy_itable_init=1", "lazy_journal_init=1", "orphan_file_size=64k", "root_owner=0:0",
		"hash_seed=" + ids("hash seed").String(), fmt.Sprintf("offset=%d", at.offset),
	}
	output, err := run(
		"mke2fs", "-q", "-F", "-t", "ext4", "-O", "verity", "-L", label, "-m", "0", "-b", "4096", "-i", "16384",
		"-U", ids("file system").String(), "-E", strings.Join(extended, ","),
		"-d", "/mnt/stage", "/mnt/disk", fmt.Sprintf("%dk", at.size/1024))
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

// debugfs carries the commands out. It ends well whatever they did, so that what
// it says must be its name and nothing else.
func debugfs(run runFunc, at place) error {
	output, err := run("debugfs", "-w", "-f", "/mnt/commands", fmt.Sprintf("/mnt/disk?offset=%d", at.offset))
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "debugfs 1.") && !strings.HasPrefix(line, "debugfs: sif ") {
			return fmt.Errorf("debugfs says: %s", strings.TrimSpace(line))
		}
	}
	return nil
}

// runFunc runs a tool on the disk, and gives what it said.
type runFunc func(argv ...string) (string, error)

// run runs a tool. When dated, nothing that it makes is younger than the epoch: of
// saved state, every time is kept.
func (t Tools) run(ctx context.Context, root sandbox.Root, dated bool, argv []string) (string, error) {
	var output bytes.Buffer
	environment := []string{"PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", "MKE2FS_SKIP_PROGRESS=1", "MKE2FS_DEVICE_SECTSIZE=512"}
	if dated {
		environment = append(environment, fmt.Sprintf("SOURCE_DATE_EPOCH=%d", t.Epoch))
	}
	err := sandbox.Run(ctx, sandbox.Spec{
		Root: root, Argv: argv, Env: environment, Stdout: &output, Stderr: &output,
	})
	return strings.TrimSpace(output.String()), err
}

// Identities draws the UUIDs of a disk: one for each purpose.
type Identities func(purpose string) gpt.GUID
