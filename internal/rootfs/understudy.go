package rootfs

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/store"
	"stet/internal/tree"
)

// The program is made by `make build` before stet itself; it is not in git.
//
//go:embed all:bin
var programs embed.FS

// understudyProgram gives the program that was built into this one.
func understudyProgram() ([]byte, error) {
	program, err := programs.ReadFile("bin/stet-understudy")
	if err != nil {
		return nil, errors.New("stet-understudy is not built in: run make build")
	}
	return program, nil
}

// wings is where the packaged programs are while understudies are in their
// places, and the mark of a call that could not be finished
// (cmd/stet-understudy). No script looks there, or lists what there is. A
// program that does the work from there calls itself by that path when it
// complains, as perl's $0 is.
const wings = "/.stet"

// part is a program that internal/understudy does the work of, in the versions
// that it was held against. Any other version does its work itself.
type part struct {
	program string
	files   []string // what the program is made of beside itself; directories end in "/"
	digests []string // of program and files together
}

var parts = []part{
	{
		program: "/usr/bin/deb-systemd-helper",
		digests: []string{"020dfb45ee27b0091bc1f074400b24850df0dc9c8d201911a52f798d2c0429d5"}, // init-system-helpers 1.69~deb13u1
	},
	{
		program: "/usr/bin/dpkg-maintscript-helper",
		files:   []string{"/usr/share/dpkg/sh/dpkg-error.sh"},
		digests: []string{"62518c2a31c24361bce687a16ff79c5aaa7553ea882b40474fff3b95cbc778ab"}, // dpkg 1.22.22
	},
	{
		program: "/usr/share/debconf/frontend",
		files:   []string{"/etc/debconf.conf", "/usr/share/perl5/Debconf/"},
		digests: []string{"9f68466fc67018c0055cb0dc0b7d01bc181c2b9c1620f2622c662c399c81eea1"}, // debconf 1.5.91
	},
}

// digest covers the paths and contents of all that a program is made of.
func (p part) digest(t *tree.Tree) string {
	h := sha256.New()
	add := func(e *tree.Entry) {
		if e.Type != tree.Directory {
			fmt.Fprintf(h, "%s %s %s %s\n", e.Path, e.Type, e.Digest, e.Target)
		}
	}
	for _, name := range append([]string{p.program}, p.files...) {
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			for e := range t.Below(dir) {
				add(e)
			}
		} else if e, ok := t.Lookup(name); ok {
			add(e)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// cast is a root in which understudies are in the place of programs.
type cast struct {
	before *tree.Tree
	of     []part
	on     *tree.Tree // what the scripts get
}

// substitute puts understudies in the place of those programs of a tree that
// have one.
func substitute(s *store.Store, before *tree.Tree, parts []part) (*cast, error) {
	c := &cast{before: before}
	b := tree.NewBuilder(before)
	for _, p := range parts {
		original, ok := before.Lookup(p.program)
		if !ok || original.Type != tree.Regular || !slices.Contains(p.digests, p.digest(before)) {
			continue
		}
		program, err := understudyProgram()
		if err != nil {
			return nil, err
		}
		aside := *original
		aside.Path = wings + "/" + path.Base(p.program)
		b.MakeParents(aside.Path, original.Mtime)
		b.Put(aside)
		if err := putFile(s, b, p.program, program, original.Mode, original.Mtime); err != nil {
			return nil, err
		}
		c.of = append(c.of, p)
	}
	var err error
	c.on, err = b.Tree()
	return c, err
}

// restore puts the packaged programs back into the tree that the scripts left.
// It gives none when they have to run without understudies: a call could not be
// finished, or they changed one of the programs.
func (c *cast) restore(after *tree.Tree) (*tree.Tree, error) {
	for change := range tree.Diff(c.on, after) {
		if change.Path() == wings || strings.HasPrefix(change.Path(), wings+"/") {
			return nil, nil
		}
	}
	b := tree.NewBuilder(after)
	for _, p := range c.of {
		if p.digest(after) != p.digest(c.on) {
			return nil, nil
		}
		original, _ := c.before.Lookup(p.program)
		b.Put(*original)
	}
	b.Remove(wings)
	return b.Tree()
}
