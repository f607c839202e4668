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
	names   []string // of links to the program, by which it does another thing
	files   []string // what the program is made of beside itself; directories end in "/"
	digests []string // of program and files together; none where what it does is not looked at
}

// isKnown reports whether a tree's version of the program has an understudy.
func (p part) isKnown(t *tree.Tree) bool {
	return len(p.digests) == 0 || slices.Contains(p.digests, p.digest(t))
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
	{
		program: "/usr/bin/ucf",
		files:   []string{"/usr/share/ucf/ucf_library.sh", "/etc/ucf.conf"},
		digests: []string{"31e4a8148c04d87e8f6831b4360d9364eea0a1146b16b76da19b5eca6b4399bc"}, // ucf 3.0052
	},
	{
		program: "/usr/bin/ucfr",
		files:   []string{"/usr/share/ucf/ucf_library.sh", "/etc/ucf.conf"},
		digests: []string{"b6185d40ca79016e33e9a1e667d786a54c4bcd4386912cec6411feefef30348c"}, // ucf 3.0052
	},
	{
		program: "/usr/sbin/phpenmod",
		names:   []string{"phpdismod"},
		files:   []string{"/usr/sbin/phpquery", "/usr/lib/php/php-helper"},
		digests: []string{"1f03f251b56015c18cbc33480855652bc8ebc0304b1b02b8637cde1f52fba15f"}, // php-common 2:96
	},
	{
		program: "/usr/sbin/phpquery",
		files:   []string{"/usr/lib/php/php-helper"},
		digests: []string{"2770e8d91ead7f1b3481664a2339b6448e5e829b20a34536cbbd18b77bb7b0ab"}, // php-common 2:96
	},
	{
		program: "/usr/sbin/update-ca-certificates",
		digests: []string{"12004a80d453331a8d02ff6606142f966721f54a913c594506569f003b4aab66"}, // ca-certificates 20250419+deb13u1
	},
	// Of these, what scripts want is not kept, or the packaged program does it.
	{program: "/usr/bin/fc-cache"},
	{program: "/usr/bin/mandb"},
	{program: "/usr/sbin/postconf"},
	{program: "/usr/lib/x86_64-linux-gnu/vlc/vlc-cache-gen"},
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
	var stand *tree.Entry
	for _, p := range parts {
		original, ok := before.Lookup(p.program)
		if !ok || original.Type != tree.Regular || !p.isKnown(before) {
			continue
		}
		if stand == nil {
			program, err := understudyProgram()
			if err != nil {
				return nil, err
			}
			digest, err := s.PutBytes(program)
			if err != nil {
				return nil, err
			}
			stand = &tree.Entry{Type: tree.Regular, Size: int64(len(program)), Digest: digest}
		}
		aside := *original
		aside.Path = wings + "/" + path.Base(p.program)
		b.MakeParents(aside.Path, original.Mtime)
		b.Put(aside)
		for _, name := range p.names {
			b.Put(tree.Entry{Path: wings + "/" + name, Type: tree.Symlink, Mode: 0o777, Mtime: original.Mtime, Target: path.Base(p.program)})
		}
		understudy := *stand
		understudy.Path, understudy.Mode, understudy.Mtime = p.program, original.Mode, original.Mtime
		understudy.UID, understudy.GID = original.UID, original.GID
		b.Put(understudy)
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
		left, _ := after.Lookup(p.program)
		back := *original
		back.Mode, back.UID, back.GID = left.Mode, left.UID, left.GID // which scripts may set
		b.Put(back)
	}
	b.Remove(wings)
	return b.Tree()
}
