package system

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strings"

	"stet/internal/machine"
	"stet/internal/tree"
)

// Finisher is a program of the machine's own root that makes something out of
// more than one package or declared file, and what it needs to run again.
type Finisher struct {
	Name    string
	Inputs  []string // paths; a final "/" means a directory with all below
	Command string   // for sh -c, in the composed root
	Outputs []string // what it may change; like Inputs
}

// finishers is the table of those that packages ran already while they were
// configured. They run again when something declared changed an input.
var finishers = []Finisher{
	{
		Name:    "library cache",
		Inputs:  []string{"/etc/ld.so.conf", "/etc/ld.so.conf.d/"},
		Command: "ldconfig -X",
		Outputs: []string{"/etc/ld.so.cache"},
	},
	{
		Name:    "CA bundle",
		Inputs:  []string{"/etc/ca-certificates.conf", "/usr/share/ca-certificates/", "/usr/local/share/ca-certificates/"},
		Command: "update-ca-certificates --fresh",
		Outputs: []string{"/etc/ssl/certs/"},
	},
	{
		Name:    "hardware database",
		Inputs:  []string{"/etc/udev/hwdb.d/"},
		Command: "systemd-hwdb --usr update",
		Outputs: []string{"/usr/lib/udev/hwdb.bin"},
	},
	{
		Name:    "message catalog",
		Inputs:  []string{"/usr/local/lib/systemd/catalog/", "/etc/systemd/catalog/"},
		Command: "journalctl --update-catalog",
		Outputs: []string{"/var/lib/systemd/catalog/"},
	},
}

// Finishers gives those that must run over the composed root.
func Finishers(m *machine.Machine, rootfs, composed *tree.Tree) ([]Finisher, error) {
	var out []Finisher
	for _, f := range finishers {
		if f.inputs(rootfs) != f.inputs(composed) {
			out = append(out, f)
		}
	}
	if m.Locale == defaultLocale {
		return out, nil
	}
	locale, definition := localeFinisher(m.Locale)
	if _, ok := composed.Lookup(definition); !ok {
		return nil, &Misfit{
			Option: []string{"locale"}, Problem: fmt.Sprintf("the package locales has no definition %s", path.Base(definition)),
			Value: path.Base(definition), Known: filesBelow(composed, path.Dir(definition)),
		}
	}
	return append(out, locale), nil
}

// Ahead gives those that will run over the composed root whatever is declared, where a
// part of that root has all they read.
func Ahead(m *machine.Machine, part *tree.Tree) []Finisher {
	locale, definition := localeFinisher(m.Locale)
	if _, ok := part.Lookup(definition); !ok || m.Locale == defaultLocale {
		return nil
	}
	return []Finisher{locale}
}

// localeFinisher makes a locale of its definition, a file of the package locales.
func localeFinisher(locale string) (f Finisher, definition string) {
	input, charset, dir := localeParts(locale)
	place := "/usr/lib/locale/" + dir
	return Finisher{
		Name: "locale",
		// The C library's own version decides the format.
		Inputs:  []string{"/usr/share/i18n/", "/usr/bin/localedef", "/var/lib/dpkg/info/libc-bin.list", "/var/lib/dpkg/info/libc-bin.md5sums"},
		Command: fmt.Sprintf("localedef --no-archive -c -i %s -f %s %s", input, charset, place),
		Outputs: []string{place + "/"},
	}, "/usr/share/i18n/locales/" + input
}

// Key names the finisher's result: the same inputs, command and epoch, the same
// key. The epoch is the time of what is made. What is at the outputs already
// counts: a file that comes out with the content it had keeps the time that it had.
func (f Finisher) Key(composed *tree.Tree, epoch int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "finisher 2\n%d\n%s\n%s\n%s\n", epoch, f.Command, strings.Join(f.Outputs, " "), f.inputs(composed))
	for e := range selected(composed, f.Outputs) {
		fmt.Fprintf(h, "%s %o %s %s %d.%d\n", e.Path, e.Mode, e.Digest, e.Target, e.Mtime.Sec, e.Mtime.Nsec)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// inputs is the digest of what the finisher reads.
func (f Finisher) inputs(t *tree.Tree) string {
	h := sha256.New()
	for e := range selected(t, f.Inputs) {
		fmt.Fprintf(h, "%s %o %s %s\n", e.Path, e.Mode, e.Digest, e.Target)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// selected gives the entries, but for directories, that a list of paths means.
func selected(t *tree.Tree, paths []string) func(func(*tree.Entry) bool) {
	return func(yield func(*tree.Entry) bool) {
		for _, name := range paths {
			if dir, ok := strings.CutSuffix(name, "/"); ok {
				for e := range t.Below(dir) {
					if e.Type != tree.Directory && !yield(e) {
						return
					}
				}
			} else if e, ok := t.Lookup(name); ok && !yield(e) {
				return
			}
		}
	}
}

// Apply takes the finisher's outputs from a tree that it ran over, or from its
// remembered result, into the composed root. Nothing else is taken.
func (f Finisher) Apply(composed, result *tree.Tree) (*tree.Tree, error) {
	b := tree.NewBuilder(composed)
	for _, name := range f.Outputs {
		dir, isDir := strings.CutSuffix(name, "/")
		b.Remove(dir)
		if e, ok := result.Lookup(dir); ok {
			b.MakeParents(dir, e.Mtime)
			b.Put(*e)
		}
		if isDir {
			for e := range result.Below(dir) {
				b.Put(*e)
			}
		}
	}
	return b.Tree()
}

// Extract gives the outputs alone, with the directories above them, to be
// remembered.
func (f Finisher) Extract(result *tree.Tree) (*tree.Tree, error) {
	empty, err := tree.New([]tree.Entry{{Path: "/", Type: tree.Directory, Mode: 0o755}})
	if err != nil {
		return nil, err
	}
	return f.Apply(empty, result)
}
