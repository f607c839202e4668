package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Branch is the branch of a repository that Checkout makes.
const Branch = "main"

// Checkout makes the repository of a machine in target, an empty directory: the
// files of dir as they are now, and the history, where dir is the top of a git
// repository. Files are those that git tracks, and the named ones, relative to
// dir. Who makes it, and when, makes no difference to what is made.
func Checkout(ctx context.Context, dir string, files []string, target string) error {
	commit, err := Describe(ctx, dir)
	if err != nil {
		return err
	}
	top := ""
	if commit.ID != "" {
		prefix, err := git(ctx, dir, "rev-parse", "--show-prefix")
		if err != nil {
			return err
		}
		top = strings.TrimSpace(string(prefix))
	}
	if commit.ID != "" && top == "" {
		tracked, err := git(ctx, dir, "ls-files", "-z")
		if err != nil {
			return err
		}
		files = append(slices.Clone(files), strings.FieldsFunc(string(tracked), func(c rune) bool { return c == 0 })...)
		if err := writeGit(ctx, dir, target); err != nil {
			return err
		}
	}
	slices.Sort(files)
	from, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer from.Close()
	for _, name := range slices.Compact(files) {
		if err := copyFile(from, name, filepath.Join(target, filepath.FromSlash(name))); err != nil {
			return fmt.Errorf("copy %s into the machine's repository: %w", name, err)
		}
	}
	return nil
}

// copyFile copies a file or symlink, with the permissions that git knows. One that
// is tracked and was removed is not there, and submodules are not files.
func copyFile(root *os.Root, name, target string) error {
	info, err := root.Lstat(filepath.FromSlash(name))
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	if err := makeDirectory(filepath.Dir(target)); err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		link, err := root.Readlink(filepath.FromSlash(name))
		if err != nil {
			return err
		}
		return os.Symlink(link, target)
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is no file")
	}
	in, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	return writeFile(target, content, mode)
}

// writeFile writes a file with exactly these permissions.
func writeFile(name string, content []byte, mode fs.FileMode) error {
	if err := makeDirectory(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.WriteFile(name, content, mode); err != nil {
		return err
	}
	return os.Chmod(name, mode) // whatever the umask
}

func makeDirectory(name string) error {
	if _, err := os.Stat(name); err == nil {
		return nil
	}
	if err := makeDirectory(filepath.Dir(name)); err != nil {
		return err
	}
	if err := os.Mkdir(name, 0o755); err != nil {
		return err
	}
	return os.Chmod(name, 0o755) // whatever the umask
}

// writeGit makes the directory .git (gitrepository-layout(5)).
func writeGit(ctx context.Context, dir, target string) error {
	p, err := makePack(ctx, dir)
	if err != nil {
		return err
	}
	index, err := p.stagingIndex(ctx, dir)
	if err != nil {
		return err
	}
	config := "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
	if p.hash().Size() == sha256.Size {
		config = strings.Replace(config, "version = 0", "version = 1", 1) + "[extensions]\n\tobjectformat = sha256\n"
	}
	name := "objects/pack/pack-" + hex.EncodeToString(p.checksum())
	files := map[string][]byte{
		"HEAD":                 []byte("ref: refs/heads/" + Branch + "\n"),
		"config":               []byte(config),
		"refs/heads/" + Branch: []byte(p.head + "\n"),
		"index":                index,
		name + ".pack":         p.data,
		name + ".idx":          p.index(),
	}
	shallow, err := git(ctx, dir, "rev-parse", "--is-shallow-repository", "--git-path", "shallow")
	if err != nil {
		return err
	}
	if answer, place, _ := strings.Cut(strings.TrimSpace(string(shallow)), "\n"); answer == "true" {
		if !filepath.IsAbs(place) {
			place = filepath.Join(dir, place)
		}
		if files["shallow"], err = os.ReadFile(place); err != nil {
			return err
		}
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(target, ".git", name), content, 0o644); err != nil {
			return err
		}
	}
	return makeDirectory(filepath.Join(target, ".git/refs/tags"))
}

// stagingIndex is git's index of the commit's files, version 2
// (gitformat-index(5)). What it says of the files on the disk is wrong, so that
// git looks at each once.
func (p *pack) stagingIndex(ctx context.Context, dir string) ([]byte, error) {
	list, err := git(ctx, dir, "ls-tree", "-r", "-z", p.head)
	if err != nil {
		return nil, err
	}
	entries := bytes.FieldsFunc(list, func(c rune) bool { return c == 0 })
	be := binary.BigEndian
	out := append([]byte("DIRC"), 0, 0, 0, 2)
	out = be.AppendUint32(out, uint32(len(entries)))
	for _, entry := range entries {
		attributes, name, _ := bytes.Cut(entry, []byte{'\t'})
		fields := strings.Fields(string(attributes))
		if len(fields) != 3 || path.Clean(string(name)) != string(name) {
			return nil, fmt.Errorf("git ls-tree says %q", entry)
		}
		mode, err := strconv.ParseUint(fields[0], 8, 32)
		if err != nil {
			return nil, err
		}
		object, err := hex.DecodeString(fields[2])
		if err != nil {
			return nil, err
		}
		start := len(out)
		out = append(out, make([]byte, 24)...) // times, device, inode
		out = be.AppendUint32(out, uint32(mode))
		out = append(out, make([]byte, 12)...) // owner, group, size
		out = append(out, object...)
		out = be.AppendUint16(out, uint16(min(len(name), 0xfff)))
		out = append(out, name...)
		out = append(out, make([]byte, 8-(len(out)-start)%8)...)
	}
	h := p.hash()
	h.Write(out)
	return h.Sum(out), nil
}
