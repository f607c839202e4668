package disk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"stet/internal/rootfs"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/verity"
)

// Image says what is on the disk.
type Image struct {
	Store    *store.Store
	System   string // digest
	Manifest *system.Manifest
	Stet     string     // path of the stet binary that the machine gets
	Tools    *tree.Tree // a root with mke2fs(8)
	Provider rootfs.Provider
	Epoch    int64
	Size     int64 // bytes of the file system; blocks that are not used take no space
}

// label is the file system's label.
const label = "stet"

// Write makes the image at path, whole or not at all.
func (i Image) Write(ctx context.Context, path string) (err error) {
	dir, err := i.Store.TempDir("disk")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stage, out := filepath.Join(dir, "stage"), filepath.Join(dir, "out")
	for _, name := range []string{stage, out} {
		if err := os.Mkdir(name, 0o700); err != nil {
			return err
		}
	}
	if err := i.fill(stage); err != nil {
		return fmt.Errorf("gather the disk's content: %w", err)
	}
	if err := i.format(ctx, stage, out); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.Rename(filepath.Join(out, "image"), path)
}

// fill lays out the store of the machine. Objects are links, so it costs no
// space; where links cannot be, they are copied.
func (i Image) fill(stage string) error {
	objects, err := i.objects()
	if err != nil {
		return err
	}
	for _, d := range objects {
		if err := i.place(stage, i.Store.ObjectPath(d)); err != nil {
			return err
		}
	}
	for name, digest := range i.Manifest.Images {
		if err := i.place(stage, i.Store.ImagePath(digest)); err != nil {
			return err
		}
		if err := i.place(stage, filepath.Join(i.Store.Dir(), "trees", i.Manifest.Trees[name])); err != nil {
			return err
		}
	}
	if err := i.place(stage, i.Store.SystemPath(i.System)); err != nil {
		return err
	}
	if err := i.place(stage, filepath.Join(i.Store.Dir(), "format.json")); err != nil {
		return err
	}
	for _, name := range []string{"var", "home", "root", "srv", "opt"} {
		mode := os.FileMode(0o755)
		if name == "root" {
			mode = 0o700
		}
		dir := filepath.Join(stage, "state", name)
		if err := os.MkdirAll(dir, mode); err != nil {
			return err
		}
		if err := os.Chmod(dir, mode); err != nil { // whatever the umask
			return err
		}
	}
	bin := filepath.Join(stage, "bin")
	if err := errors.Join(os.Mkdir(bin, 0o755), os.Chmod(bin, 0o755)); err != nil {
		return err
	}
	return copyFile(i.Stet, filepath.Join(bin, "stet"), 0o755)
}

// objects gives every object that the system needs, each once.
func (i Image) objects() ([]verity.Digest, error) {
	seen := map[verity.Digest]bool{i.Manifest.Kernel: true, i.Manifest.Initrd: true}
	out := []verity.Digest{i.Manifest.Kernel, i.Manifest.Initrd}
	for _, digest := range i.Manifest.Trees {
		t, err := i.Store.Tree(digest)
		if err != nil {
			return nil, err
		}
		for e := range t.All() {
			if !e.Digest.IsZero() && !seen[e.Digest] {
				seen[e.Digest] = true
				out = append(out, e.Digest)
			}
		}
	}
	return out, nil
}

// place puts a file of the store at its place below stage.
func (i Image) place(stage, name string) error {
	relative, err := filepath.Rel(i.Store.Dir(), name)
	if err != nil {
		return err
	}
	target := filepath.Join(stage, relative)
	err = os.Link(name, target)
	if errors.Is(err, os.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(target), 0o700); err == nil {
			err = os.Link(name, target)
		}
	}
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return copyFile(name, target, 0o600)
	}
	return err
}

func copyFile(from, to string, mode os.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Chmod(mode) // whatever the umask
}

// format runs mke2fs over the stage. Its UUIDs follow from the system, so the
// same system has the same ones. The file of orphaned inodes is small: a mount
// reads all of it, and mke2fs's own size of 512 blocks takes an emulated machine
// a tenth of a second at each boot.
func (i Image) format(ctx context.Context, stage, out string) (err error) {
	provided, err := i.Provider.Provide(i.Store, i.Tools)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provided.Close()) }()
	root, err := provided.Root()
	if err != nil {
		return err
	}
	root = append(root,
		sandbox.Mount{Target: "/mnt/stage", Bind: &sandbox.Bind{Source: stage, ReadOnly: true}},
		sandbox.Mount{Target: "/mnt/out", Bind: &sandbox.Bind{Source: out}},
	)
	var output bytes.Buffer
	err = sandbox.Run(ctx, sandbox.Spec{
		Root: root,
		Argv: []string{
			"mke2fs", "-q", "-F", "-t", "ext4", "-O", "verity", "-L", label, "-m", "0", "-b", "4096", "-i", "16384",
			"-U", i.uuid("file system"), "-E", "lazy_itable_init=1,lazy_journal_init=1,orphan_file_size=64k,root_owner=0:0,hash_seed=" + i.uuid("hash seed"),
			"-d", "/mnt/stage", "/mnt/out/image", fmt.Sprintf("%dk", i.Size/1024),
		},
		Env: []string{
			"PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", "MKE2FS_SKIP_PROGRESS=1", "MKE2FS_DEVICE_SECTSIZE=512",
			fmt.Sprintf("SOURCE_DATE_EPOCH=%d", i.Epoch),
		},
		Stdout: &output, Stderr: &output,
	})
	if err != nil {
		return fmt.Errorf("make the file system of %d MB: %w: %s", i.Size/1e6, err, strings.TrimSpace(output.String()))
	}
	return nil
}

// uuid derives a UUID for a purpose from the system's digest (RFC 9562,
// version 8).
func (i Image) uuid(purpose string) string {
	b := sha256.Sum256([]byte(purpose + "\n" + i.System))
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
