package image_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/fault"
	"stet/internal/gpt"
	"stet/internal/sandbox"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

const mib = 1 << 20

// committed gives an example as a git repository with one commit. Declared is
// added to its description.
func committed(t *testing.T, name, declared string) program.Program {
	t.Helper()
	p := program.Example(t, name)
	file := filepath.Join(p.Dir, "stet.yaml")
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(text, declared...), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	program.Git(t, p.Dir, "init", "-q", "-b", "main")
	program.Git(t, p.Dir, "add", ".")
	program.Git(t, p.Dir, "commit", "-q", "-m", "write it down")
	return p
}

// made is what `stet image --json` prints.
type made struct {
	Digest, Image string
	Size, Bytes   int64
	Reused        bool
}

func image(t *testing.T, p program.Program, args ...string) made {
	t.Helper()
	var m made
	r := p.Must(t, append([]string{"image", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(r.Stdout), &m); err != nil {
		t.Fatalf("stet image --json: %v\n%s", err, r.Stdout)
	}
	return m
}

// must runs another program, which has to be content.
func must(t *testing.T, argv ...string) string {
	t.Helper()
	command := exec.Command(argv[0], argv[1:]...)
	command.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return string(out)
}

// table reads the partition table of an image.
func table(t *testing.T, path string) *gpt.Table {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	read, err := gpt.Read(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// clean has other programs check all that a disk has.
func clean(t *testing.T, path string) {
	t.Helper()
	if said := must(t, "sgdisk", "-v", path); !strings.Contains(said, "No problems found") {
		t.Errorf("sgdisk:\n%s", said)
	}
	parts := table(t, path).Partitions
	esp := filepath.Join(t.TempDir(), "esp")
	must(t, "dd", "if="+path, "of="+esp, "bs=1M", "conv=sparse", "status=none",
		fmt.Sprintf("skip=%d", parts[0].Start/mib), fmt.Sprintf("count=%d", parts[0].Size/mib))
	must(t, "fsck.vfat", "-n", esp)
	store := parts[len(parts)-1]
	must(t, "e2fsck", "-fn", fmt.Sprintf("%s?offset=%d", path, store.Start))
}

// TestImagesAreTheSame makes two images of one commit in other surroundings, and
// has other programs look at one.
func TestImagesAreTheSame(t *testing.T) {
	p := committed(t, "minimal", "\ndisk: {size: 2G, esp: 100M, swap: 64M}\n")
	here := image(t, p, "-o", filepath.Join(t.TempDir(), "here.raw"))

	elsewhere := p.With("TZ=Pacific/Kiritimati", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8", "TMPDIR="+t.TempDir())
	elsewhere.Dir = filepath.Join(t.TempDir(), "é elsewhere")
	program.Git(t, p.Dir, "clone", "-q", "--no-local", p.Dir, elsewhere.Dir)
	program.Git(t, elsewhere.Dir, "gc", "-q", "--aggressive")
	elsewhere.Prefix = []string{"sh", "-c", `umask 077; exec taskset --cpu-list 0 "$@"`, "sh"}
	there := image(t, elsewhere, "-o", filepath.Join(t.TempDir(), "there.raw"))
	must(t, "cmp", here.Image, there.Image)

	info, err := os.Stat(here.Image)
	if err != nil || info.Size() != 2<<30 || here.Size != 2<<30 || here.Bytes > 600*mib {
		t.Errorf("%+v, %v: %d bytes", here, err, info.Size())
	}
	clean(t, here.Image)
	qcow2 := image(t, p, "--format", "qcow2", "-o", filepath.Join(t.TempDir(), "here.qcow2"))
	must(t, "qemu-img", "compare", "-f", "raw", "-F", "qcow2", here.Image, qcow2.Image)

	// One that is there is not made again, unless somebody touched it or it would have
	// what no commit has.
	for _, c := range []struct {
		before func() error
		reused bool
	}{
		{func() error { return nil }, true},
		{func() error { return os.Truncate(qcow2.Image, 0) }, false},
		{func() error { return nil }, true},
		{func() error { return os.Remove(qcow2.Image) }, false},
		{func() error { return os.WriteFile(filepath.Join(p.Dir, "notes"), nil, 0o644) }, false},
		{func() error { return nil }, false},
	} {
		if err := c.before(); err != nil {
			t.Fatal(err)
		}
		if again := image(t, p, "--format", "qcow2", "-o", qcow2.Image); again.Reused != c.reused {
			t.Errorf("%+v", again)
		}
	}

	parts := table(t, here.Image).Partitions
	if len(parts) != 3 || parts[0].Type != gpt.ESP || parts[1].Type != gpt.Swap || parts[2].Type != gpt.Store {
		t.Fatalf("the partitions are %+v", parts)
	}
	swap := make([]byte, 4096)
	file, err := os.Open(here.Image)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.ReadAt(swap, parts[1].Start); err != nil || !bytes.HasSuffix(swap, []byte("SWAPSPACE2")) {
		t.Errorf("the swap partition has none: %v", err)
	}
	store := fmt.Sprintf("%s?offset=%d", here.Image, parts[2].Start)
	record := must(t, "debugfs", "-R", "cat /generations/1/record.json", store)
	for _, want := range []string{`"system": "` + here.Digest, `"origin": "image"`, `"commit": "` + program.Git(t, p.Dir, "rev-parse", "HEAD"), `"dirty": false`} {
		if !strings.Contains(record, want) {
			t.Errorf("the record has no %s\n%s", want, record)
		}
	}
	images := filepath.Join(t.TempDir(), "i")
	must(t, "mkdir", images)
	must(t, "debugfs", "-R", "rdump /images "+images, store)
	found, err := filepath.Glob(images + "/images/*")
	if err != nil || len(found) != 4 { // usr, modules, etc, var
		t.Errorf("there are the images %q, %v", found, err)
	}
	for _, image := range found {
		must(t, "fsck.erofs", image)
	}
	repository := filepath.Join(t.TempDir(), "r")
	must(t, "mkdir", repository)
	must(t, "debugfs", "-R", "rdump /repository "+repository, store)
	if said := program.Git(t, filepath.Join(repository, "repository"), "status", "--porcelain"); said != "" {
		t.Errorf("the machine's repository differs from its commit: %s", said)
	}
}

func TestWrongArgumentsChangeNothing(t *testing.T) {
	p := committed(t, "minimal", "")
	dir := t.TempDir()
	for _, test := range []struct {
		declared string
		args     []string
		code     int
		want     string
	}{
		{"", []string{"image", "--format", "vdi"}, 2, "no format of an image"},
		{"", []string{"image", "-o", filepath.Join(dir, "no/where")}, 1, "no such file or directory"},
		{"", []string{"image", "-o", "/dev/null"}, 2, "not a file"},
		{"", []string{"image", "nobody"}, 2, "nobody"},
		{"disk: {esp: 10M}\n", []string{"image"}, 2, "disk.esp: 10 MB are too few"},
		{"disk: {size: 550M}\n", []string{"image"}, 2, "disk.size: 576 MB leave"},
		{"disk: {size: 700M}\n", []string{"image"}, 1, "make disk.size larger"},
		{"disk: {size: 10}\n", []string{"image"}, 2, "such as 20G"},
		{"", []string{"install", "/dev/null", "--elsewhere"}, 2, "it is no disk"},
		{"", []string{"install", filepath.Join(dir, "none"), "--elsewhere"}, 2, "there is no such disk"},
		{"", []string{"install"}, 2, "usage: stet install DISK"},
	} {
		q := p
		q.Dir = t.TempDir()
		if err := os.CopyFS(q.Dir, os.DirFS(p.Dir)); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(q.Dir, "stet.yaml")
		text, err := os.ReadFile(file)
		if err := errors.Join(err, os.WriteFile(file, append(text, test.declared...), 0o644)); err != nil {
			t.Fatal(err)
		}
		r := q.Run(t, test.args...)
		if r.Code != test.code || !strings.Contains(r.Stderr, test.want) || strings.Count(r.Stderr, "\n") > 24 {
			t.Errorf("%s%v: exit code %d, want %d and %q\n%s", test.declared, test.args, r.Code, test.code, test.want, r.Stderr)
		}
		if left, err := filepath.Glob(filepath.Join(q.Dir, "*minimal.*")); err != nil || len(left) > 0 {
			t.Errorf("%v left %v, %v", test.args, left, err)
		}
	}
}

// TestAKilledImageIsOldOrNew kills `stet image` at each of its moments.
func TestAKilledImageIsOldOrNew(t *testing.T) {
	p := committed(t, "minimal", "\ndisk: {size: 1G, esp: 64M}\n")
	path := filepath.Join(t.TempDir(), "disk.raw")
	want := image(t, p, "-o", filepath.Join(t.TempDir(), "whole.raw")).Image
	for _, point := range []fault.Point{fault.StageFilled, fault.ImageWritten, fault.ImageNamed} {
		if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := p.With("STET_FAULT="+string(point)).Run(t, "image", "-o", path); r.Code != -1 {
			t.Errorf("%s: it was not killed: exit code %d\n%s", point, r.Code, r.Stderr)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != int64(len("old")) {
			if point != fault.ImageNamed {
				t.Errorf("%s: the old image is gone (%v)", point, err)
			}
			must(t, "cmp", want, path)
		}
	}
	p.Must(t, "image", "-o", path)
	must(t, "cmp", want, path)
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
		t.Errorf("beside the image is left %v, %v", left, err)
	}
}

// loop gives a disk that is a file.
func loop(t *testing.T, path string, size int64) string {
	t.Helper()
	file, err := os.Create(path)
	if err == nil {
		err = errors.Join(file.Truncate(size), file.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	device := strings.TrimSpace(must(t, "losetup", "--find", "--show", path))
	t.Cleanup(func() { must(t, "losetup", "--detach", device) })
	return device
}

func TestInstallDestroysNothing(t *testing.T) {
	p := committed(t, "minimal", "\ndisk: {esp: 40M}\n")
	dir := t.TempDir()
	path := filepath.Join(dir, "disk")
	const size = 512 * mib
	device := loop(t, path, size)
	refused := func(want string, args ...string) {
		t.Helper()
		before := must(t, "sha256sum", path)
		r := p.Run(t, append([]string{"install", "--elsewhere", device}, args...)...)
		if r.Code != 2 || !strings.Contains(r.Stderr, want) {
			t.Errorf("exit code %d, want 2 and %q\n%s", r.Code, want, r.Stderr)
		}
		if must(t, "sha256sum", path) != before {
			t.Errorf("%s: the disk was written to", want)
		}
	}
	for _, test := range []struct{ want, make string }{
		{"a file system (ext2, ext3 or ext4)", "mke2fs -q -F -t ext4 " + device},
		{"a file system (FAT)", "mkfs.vfat -F 32 " + device},
		{"a partition table (GPT)", "sgdisk -o " + device},
		{"the backup of a partition table (GPT)", "sgdisk -o " + device + " && dd if=/dev/zero bs=512 count=34 conv=notrunc status=none of=" + device},
		{"swap space", "mkswap -q " + device},
		{"data that Stet does not know", "printf x | dd status=none seek=5000 bs=1 of=" + device},
	} {
		must(t, "blkdiscard", "--zeroout", "--force", device)
		must(t, "sh", "-c", test.make+" >/dev/null")
		refused(test.want)
		refused("--erase names /dev/zero", "--erase", "/dev/zero")
	}
	must(t, "mke2fs", "-q", "-F", "-t", "ext4", device)
	mounted := t.TempDir()
	must(t, "mount", "-o", "ro", device, mounted)
	refused("it is mounted at "+mounted, "--erase", device)
	must(t, "umount", mounted)

	small := loop(t, filepath.Join(dir, "small"), 200*mib)
	if r := p.Run(t, "install", "--elsewhere", small); r.Code != 1 || !strings.Contains(r.Stderr, "has room for") {
		t.Errorf("a small disk: exit code %d\n%s", r.Code, r.Stderr)
	}

	// What is named twice is erased, and the disk is a new one each time.
	must(t, "sh", "-c", fmt.Sprintf("yes old | head -c %d >%s", size, device))
	p.Must(t, "install", "--elsewhere", device, "--erase", device)
	clean(t, path)
	first := table(t, path)
	p.Must(t, "install", "--elsewhere", device, "--erase", device)
	clean(t, path)
	if second := table(t, path); second.Disk == first.Disk || second.Partitions[1].ID == first.Partitions[1].ID {
		t.Error("the second disk has the UUIDs of the first")
	}
}
