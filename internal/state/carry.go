package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// A Carry brings what a machine keeps of its /etc from one upper to the next.
type Carry struct {
	Policy Policy

	// Named has nothing be carried but what the policy names: the machine's identity
	// is there already, or comes from a newer upper.
	Named bool

	// Upper is the previous upper directory: only what is in it is carried.
	Upper string

	// Merged gives a read-only mount of the previous /etc (upper on its image).
	// It is asked for at most once, and only when the upper holds something that
	// the kernel must resolve: a file without its content (metacopy), a renamed
	// directory (redirect).
	Merged func() (string, error)

	// Etc is the mounted next /etc. Writing through the mount lets the kernel
	// take the attributes of parent directories from the new image, and make a
	// whiteout only where there is something to hide.
	Etc *os.Root
}

// Run carries and returns what it could not carry, as sentences for a person.
// It fails only when going on makes no sense: the disk is full or broken.
func (c Carry) Run() (problems []string, err error) {
	upper, err := os.OpenRoot(c.Upper)
	if err != nil {
		return nil, fmt.Errorf("open the previous upper of /etc: %w", err)
	}
	defer upper.Close()
	w := &carrying{Carry: c, upper: upper}
	defer func() {
		if w.merged != nil {
			w.merged.Close()
		}
	}()
	if err := w.directory(".", false); err != nil {
		return w.problems, err
	}
	if err := w.accounts(); err != nil {
		return w.problems, err
	}
	return w.problems, nil
}

type carrying struct {
	Carry
	upper    *os.Root
	merged   *os.Root
	problems []string
}

// directory walks name in the previous upper. All says that name is persisted,
// and so everything in it.
func (c *carrying) directory(name string, all bool) error {
	entries, err := readDirectory(c.upper, name)
	if err != nil {
		return c.tolerate(name, err)
	}
	for _, entry := range entries {
		child := path.Join(name, entry.Name())
		persisted := all || c.persists("/etc/"+child)
		if err := c.entry(child, persisted); err != nil {
			if err := c.tolerate(child, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *carrying) persists(name string) bool {
	return c.Policy.Persists(name) && !(c.Named && name == alwaysPersisted)
}

func (c *carrying) entry(name string, persisted bool) error {
	info, err := c.upper.Lstat(name)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir() && !persisted:
		return c.directory(name, false)
	case !persisted:
		return nil
	case isWhiteout(info):
		return c.remove(name)
	case info.IsDir():
		moved, err := hasAttribute(c.upper, name, "trusted.overlay.redirect")
		if err != nil {
			return err
		}
		if moved {
			merged, err := c.mergedRoot()
			if err != nil {
				return err
			}
			return c.tree(merged, name)
		}
		if err := c.copyDirectory(c.upper, name, info); err != nil {
			return err
		}
		if err := c.directory(name, true); err != nil {
			return err
		}
		return c.setTimes(name, info)
	default:
		source, err := c.source(name, info)
		if err != nil {
			return err
		}
		return c.copyEntry(source, name)
	}
}

// tree carries all of name as source shows it.
func (c *carrying) tree(source *os.Root, name string) error {
	info, err := source.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return c.copyEntry(source, name)
	}
	if err := c.copyDirectory(source, name, info); err != nil {
		return err
	}
	entries, err := readDirectory(source, name)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		child := path.Join(name, entry.Name())
		if err := c.tree(source, child); err != nil {
			if err := c.tolerate(child, err); err != nil {
				return err
			}
		}
	}
	return c.setTimes(name, info)
}

// source is where the content of a file in the upper can be read: the upper
// itself, unless only the file's attributes were copied up.
func (c *carrying) source(name string, info fs.FileInfo) (*os.Root, error) {
	if !info.Mode().IsRegular() {
		return c.upper, nil
	}
	bare, err := hasAttribute(c.upper, name, "trusted.overlay.metacopy")
	if err != nil || !bare {
		return c.upper, err
	}
	return c.mergedRoot()
}

func (c *carrying) mergedRoot() (*os.Root, error) {
	if c.merged != nil {
		return c.merged, nil
	}
	if c.Merged == nil {
		return nil, errors.New("the previous /etc cannot be mounted")
	}
	directory, err := c.Merged()
	if err != nil {
		return nil, err
	}
	c.merged, err = os.OpenRoot(directory)
	return c.merged, err
}

// accounts merges the fields that users own. A file that the previous upper does
// not have was never changed on the machine.
func (c *carrying) accounts() error {
	if len(c.Policy.Users) == 0 {
		return nil
	}
	var declared, previous Accounts
	for _, file := range []struct {
		name               string
		declared, previous *[]byte
	}{{"passwd", &declared.Passwd, &previous.Passwd}, {"shadow", &declared.Shadow, &previous.Shadow}} {
		info, err := c.upper.Lstat(file.name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err == nil {
			*file.previous, err = c.read(file.name, info)
		}
		if err == nil {
			*file.declared, err = c.Etc.ReadFile(file.name)
		}
		if err != nil {
			if err := c.tolerate(file.name, err); err != nil {
				return err
			}
		}
	}
	merged := MergeAccounts(declared, previous, c.Policy.Users)
	for _, file := range []struct {
		name             string
		declared, merged []byte
	}{{"passwd", declared.Passwd, merged.Passwd}, {"shadow", declared.Shadow, merged.Shadow}} {
		if string(file.declared) == string(file.merged) {
			continue
		}
		// In place: mode and owner are those of the new image.
		if err := c.Etc.WriteFile(file.name, file.merged, 0o600); err != nil {
			if err := c.tolerate(file.name, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *carrying) read(name string, info fs.FileInfo) ([]byte, error) {
	source, err := c.source(name, info)
	if err != nil {
		return nil, err
	}
	return source.ReadFile(name)
}

// tolerate turns err into a problem, unless it says that the disk itself takes
// nothing more.
func (c *carrying) tolerate(name string, err error) error {
	for _, fatal := range []error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.EROFS} {
		if errors.Is(err, fatal) {
			return err
		}
	}
	c.problems = append(c.problems, fmt.Sprintf("/etc/%s was not carried over: %v", name, strings.TrimSpace(err.Error())))
	return nil
}
