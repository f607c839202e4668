package system

import (
	"fmt"
	"io/fs"
	"strings"

	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/store"
	"stet/internal/tree"
)

// Input is what a system is made of.
type Input struct {
	Machine *machine.Machine
	Rootfs  *tree.Tree // the configured root, numbered by the ledger
	IDs     lock.IDs
	Origins []lock.Archive // where the packages came from, sorted
	Epoch   int64          // seconds since 1970
	Sources fs.FS          // the repository, for files with a source
}

// composer lays what is declared over the root.
type composer struct {
	Input
	store *store.Store
	files *tree.Builder
	mtime tree.Time
}

// Compose gives the whole root of the machine: the packages' root with
// everything declared laid over it.
func Compose(s *store.Store, in Input) (*tree.Tree, error) {
	c := &composer{Input: in, store: s, files: tree.NewBuilder(in.Rootfs), mtime: tree.Time{Sec: in.Epoch}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"accounts", c.accounts},
		{"time zone", c.timezone},
		{"locale", c.locale},
		{"sysctl", c.sysctl},
		{"package manager", c.packageManager},
		{"files", c.declaredFiles},
		{"units", c.units},
		{"identity", c.identity},
		{"services", c.services},
		{"assessment", c.assess},
		{"state", c.statePolicy},
		{"marks", c.updateMarks},
	} {
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("machine %s: %s: %w", in.Machine.Name, step.what, err)
		}
	}
	return c.files.Tree()
}

// putText puts a file of root's with the given text.
func (c *composer) putText(name, text string, mode uint32) error {
	return c.putFile(tree.Entry{Path: name, Mode: mode}, []byte(text))
}

func (c *composer) putFile(e tree.Entry, data []byte) error {
	digest, err := c.store.PutBytes(data)
	if err != nil {
		return err
	}
	e.Type, e.Size, e.Digest, e.Mtime = tree.Regular, int64(len(data)), digest, c.mtime
	return c.put(e)
}

func (c *composer) putLink(name, target string) error {
	return c.put(tree.Entry{Path: name, Type: tree.Symlink, Mode: 0o777, Target: target, Mtime: c.mtime})
}

// put puts an entry and the directories above it. It refuses to lay anything
// through a symlink or over a directory.
func (c *composer) put(e tree.Entry) error {
	for dir := parent(e.Path); dir != "/"; dir = parent(dir) {
		if above, ok := c.files.Get(dir); ok && above.Type != tree.Directory {
			return misfit("declare the path that it leads to", "%s is a %s there, not a directory", dir, above.Type)
		}
	}
	if old, ok := c.files.Get(e.Path); ok && old.Type == tree.Directory && e.Type != tree.Directory {
		return misfit("declare what is in it", "%s is a directory there, and a %s cannot take its place", e.Path, e.Type)
	}
	c.files.MakeParents(e.Path, c.mtime)
	c.files.Put(e)
	return nil
}

func parent(name string) string {
	if i := strings.LastIndexByte(name, '/'); i > 0 {
		return name[:i]
	}
	return "/"
}

// read gives the text of a file of the root; nothing if there is none.
func (c *composer) read(name string) (string, error) {
	e, ok := c.files.Get(name)
	if !ok {
		return "", nil
	}
	data, err := c.store.ReadObject(e.Digest)
	return string(data), err
}

// owner gives the numbers of a user and a group.
func (c *composer) owner(user, group string) (uid, gid uint32, err error) {
	u, ok := c.IDs.Users[user]
	if !ok {
		return 0, 0, misfit("declare it under users, or run \"stet lock\"", "there is no user %s", user)
	}
	g, ok := c.IDs.Groups[group]
	if !ok {
		return 0, 0, misfit("declare it under groups, or run \"stet lock\"", "there is no group %s", group)
	}
	return uint32(u.UID), uint32(g), nil
}
