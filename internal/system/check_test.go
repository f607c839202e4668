package system

import (
	"slices"
	"strings"
	"testing"

	"stet/internal/machine"
	"stet/internal/tree"
)

// rootOf is a tree of files "PATH CONTENT"; only sizes tell contents apart.
func rootOf(t *testing.T, lines ...string) *tree.Tree {
	t.Helper()
	b := tree.NewBuilder()
	b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	for _, line := range lines {
		name, content, _ := strings.Cut(line, " ")
		b.MakeParents(name, tree.Time{})
		b.Put(tree.Entry{Path: name, Type: tree.Symlink, Mode: 0o777, Target: content})
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestAVerdictHoldsWhileNothingThatWasReadChanged(t *testing.T) {
	named := Check{"web", machine.BuildCheck{Command: "web -t", Files: []string{"/etc/web/"}}}
	all := Check{"all", machine.BuildCheck{Command: "true"}}
	const root = "packages"
	before := rootOf(t, "/etc/web/a 1", "/etc/motd 1", "/etc/passwd 1")
	for _, c := range []struct {
		what       string
		root       string
		after      *tree.Tree
		named, all bool // whether the verdict is another
	}{
		{"nothing", root, rootOf(t, "/etc/web/a 1", "/etc/motd 1", "/etc/passwd 1"), false, false},
		{"a file that is named", root, rootOf(t, "/etc/web/a 2", "/etc/motd 1", "/etc/passwd 1"), true, true},
		{"a file more below", root, rootOf(t, "/etc/web/a 1", "/etc/web/b 1", "/etc/motd 1", "/etc/passwd 1"), true, true},
		{"another file", root, rootOf(t, "/etc/web/a 1", "/etc/motd 2", "/etc/passwd 1"), false, true},
		{"an account", root, rootOf(t, "/etc/web/a 1", "/etc/motd 1", "/etc/passwd 2"), true, true},
		{"a package", "others", rootOf(t, "/etc/web/a 1", "/etc/motd 1", "/etc/passwd 1"), true, false},
	} {
		if got := named.Key(root, before) != named.Key(c.root, c.after); got != c.named {
			t.Errorf("%s changed: the check that names files runs again: %t", c.what, got)
		}
		if got := all.Key(root, before) != all.Key(c.root, c.after); got != c.all {
			t.Errorf("%s changed: the check that names none runs again: %t", c.what, got)
		}
	}
	other := named
	other.Command += " -q"
	if other.Key(root, before) == named.Key(root, before) {
		t.Error("another command has the same verdict")
	}
}

func TestAFailedCheckIsAboutTheFilesThatItNames(t *testing.T) {
	m := &machine.Machine{Name: "m", Files: map[string]machine.File{"/etc/web/a": {}, "/etc/web/a.d": {}, "/etc/web/b": {}, "/etc/motd": {}}}
	c := Check{"web", machine.BuildCheck{Command: "web -t", Files: []string{"/etc/web/"}}}
	for said, want := range map[string][]string{
		"unknown word in /etc/web/b:9":        {"/etc/web/b"},
		"/etc/web/a.d is not well":            {"/etc/web/a.d"},
		"I cannot read /etc/web/a.":           {"/etc/web/a"},
		"\"/etc/web/b\" and /etc/motd differ": {"/etc/motd", "/etc/web/b"},
		"/etc/web/a/c is missing":             {"/etc/web/a", "/etc/web/a.d", "/etc/web/b"},
		"":                                    {"/etc/web/a", "/etc/web/a.d", "/etc/web/b"},
	} {
		wrong, ok := c.Failed(m, said).(*CheckError)
		if !ok || !slices.Equal(wrong.Files, want) {
			t.Errorf("%q is about %v, not %v", said, wrong.Files, want)
		}
	}
}
