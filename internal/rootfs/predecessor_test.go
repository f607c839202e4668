package rootfs

import (
	"slices"
	"strings"
	"testing"

	"stet/internal/graph"
	"stet/internal/tree"
)

// noted counts the packages that scripts ran for, and keeps what was noted.
type noted struct {
	scripts []string
	notes   []string
}

func (n *noted) builder(m *machines) *Builder {
	b := m.builder()
	b.Observe = func(step graph.Step) func(graph.Outcome) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if step.Stage == graph.Script {
			n.scripts = append(n.scripts, step.Name)
		}
		return func(o graph.Outcome) {
			m.mu.Lock()
			defer m.mu.Unlock()
			if o.Note != "" {
				n.notes = append(n.notes, o.Note)
			}
		}
	}
	return b
}

// TestAPackageMoreIsConfiguredByItself runs dpkg: first for some packages, then for one
// more, and compares with a run for all.
func TestAPackageMoreIsConfiguredByItself(t *testing.T) {
	s := openStore(t)
	m := &machines{t: t, s: s}
	configure := func(whole bool, packages ...*Package) (string, *noted) {
		n := &noted{}
		b := n.builder(m)
		b.Whole = whole
		digest, err := b.Configure(t.Context(), input(packages))
		if err != nil {
			t.Fatal(err)
		}
		return digest, n
	}
	base := essential(t, s, "/usr/share/doc d")
	watcher := pkg(t, s, stanza("watcher", people), "/usr/bin/tool =the tool\n", "/usr/share/shared =the watcher's\n", "/etc/kept.conf =one\n", "@conffiles =/etc/kept.conf\n",
		"@triggers =interest-noawait /usr/share/watched\n",
		"@postinst =#!/bin/sh\nif cd /usr/share/watched; then echo * >/etc/index; fi\n")
	caller := pkg(t, s, stanza("caller", "Depends: watcher", people), "/usr/share/watched/caller =1", "@postinst =#!/bin/sh\nset -e\necho caller >>/etc/shells\n")
	large := pkg(t, s, stanza("large", "Installed-Size: 70000", people), "/usr/share/large =1")
	leaf := pkg(t, s, stanza("leaf", "Depends: watcher", people), "/usr/share/watched/leaf =1", "/usr/bin/leaf =1", "/usr/share/leaf/data =1",
		"@postinst =#!/bin/sh\nset -e\necho leaf >>/etc/shells\n")

	first := []*Package{base, watcher, caller, large}
	configure(false, first...)
	digest, n := configure(false, append(first, leaf)...)
	if want := []string{"configure leaf", "triggers watcher"}; !slices.Equal(n.scripts, want) {
		t.Errorf("scripts ran for %q, want %q", n.scripts, want)
	}
	made, err := s.Tree(digest)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/etc/index": "caller leaf\n", "/usr/share/shared": "the watcher's\n", "/etc/kept.conf": "one\n", "/etc/shells": "caller\nleaf\n",
	} {
		if have := m.text(made, name); have != want {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
	}
	m.isWhole(made)
	if whole, _ := configure(true, append(first, leaf)...); whole != digest {
		t.Errorf("the scripts of all give %s, those of one package %s", whole, digest)
	}

	// What was made so is a predecessor itself. A package that is gone has none.
	second := pkg(t, s, stanza("second", people), "/usr/share/second =1")
	if _, n = configure(false, append(first, leaf, second)...); slices.ContainsFunc(n.scripts, func(name string) bool { return strings.Contains(name, "watcher") }) {
		t.Errorf("one more: scripts ran for %q", n.scripts)
	}
	plain := pkg(t, s, stanza("plain", people), "/usr/share/watched/plain =1")
	if _, n = configure(false, base, watcher, plain, large, second); !slices.Contains(n.scripts, "configure watcher") {
		t.Errorf("without caller: scripts ran for %q", n.scripts)
	}

	// Nobody proves that a script which looks for a package would not have seen it.
	asking := pkg(t, s, stanza("asking", people), "@postinst =#!/bin/sh\nif [ -x /usr/bin/late ]; then echo late; else echo never; fi >/etc/asked\n")
	configure(false, base, asking, large, second)
	late := pkg(t, s, stanza("late", people), "/usr/bin/late =1")
	digest, n = configure(false, base, asking, large, second, late)
	if want := []string{"all scripts run: the postinst of asking names late, which late has"}; !slices.Equal(n.notes, want) {
		t.Errorf("notes %q, want %q", n.notes, want)
	}
	if whole, _ := configure(true, base, asking, large, second, late); whole != digest {
		t.Errorf("the scripts of all give %s, and then %s", digest, whole)
	}

	// A script that fails among what was there may not fail in its turn.
	needy := pkg(t, s, stanza("needy", people), "@preinst =#!/bin/sh\nset -e\nif [ -e /etc/asked ]; then exit 1; fi\n")
	if _, n = configure(false, base, asking, large, second, needy); len(n.notes) != 1 || !strings.Contains(n.notes[0], "the preinst of needy failed") {
		t.Errorf("notes %q", n.notes)
	}
}

func TestAPredecessorThatIsGoneIsNone(t *testing.T) {
	s := openStore(t)
	b := &Builder{Store: s}
	p := pkg(t, s, stanza("one"), "/usr/one =1")
	in := input([]*Package{p})
	made := &configured{before: p.Files, after: p.Files}
	if err := b.remember(made, in, []byte("table")); err != nil {
		t.Fatal(err)
	}
	in.Packages = append(in.Packages, Ref{"two", "1", "amd64", ""}, Ref{"three", "1", "amd64", ""})
	if b.nearest(in, []byte("table")) != nil {
		t.Error("where most is new there is a predecessor")
	}
	in.Packages = in.Packages[:1]
	for name, b := range map[string]*Builder{"shuffled": {Store: s, Shuffle: 1}, "whole": {Store: s, Whole: true}} {
		if b.nearest(in, []byte("table")) != nil {
			t.Errorf("a %s build has a predecessor", name)
		}
	}
	if b.nearest(in, []byte("another table")) != nil {
		t.Error("what another table made is a predecessor")
	}
	nearest := b.nearest(in, []byte("table"))
	if nearest.load(s) == nil {
		t.Fatal("there is none")
	}
	nearest.After = strings.Repeat("0", 64)
	if nearest.load(s) != nil {
		t.Error("one whose tree is gone is there")
	}
}

func TestOnlyWhatChangedIsRemembered(t *testing.T) {
	s := openStore(t)
	before := pkg(t, s, stanza("p"), "/usr/share/kept/file =1", "/usr/share/changed =1", "/usr/share/gone/file =1", "/etc/passwd =root:x:0:0::/root:/bin/sh\n",
		databaseDir+"/statoverride =root root 4755 /usr/share/kept/file\n").Files
	b := tree.NewBuilder(before)
	for e := range pkg(t, s, stanza("p"), "/usr/share/changed =2", "/usr/share/new/file =1").Files.All() {
		b.Put(*e)
	}
	b.Remove("/usr/share/gone/file")
	after, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	whole := &configured{before: before, after: after}
	part, err := whole.changed(s)
	if err != nil {
		t.Fatal(err)
	}
	show := func(c *configured) (all []string) {
		for change := range tree.Diff(c.before, c.after) {
			all = append(all, change.Path())
		}
		return all
	}
	if have, want := show(part), show(whole); !slices.Equal(have, want) || len(want) == 0 {
		t.Errorf("differences %q, want %q", have, want)
	}
	for name, want := range map[string]bool{"/etc/passwd": true, "/usr/share/kept/file": true, "/usr/share/kept": true, "/usr/share/changed": true} {
		if _, have := part.before.Lookup(name); have != want {
			t.Errorf("%s is remembered: %t, want %t", name, have, want)
		}
	}
}

func TestWhatScriptsCouldNotice(t *testing.T) {
	s := openStore(t)
	postinst := func(text string) *Package {
		return pkg(t, s, stanza("ran"), "/usr/share/ran =1", "@postinst =#!/bin/sh\n"+text+"\n")
	}
	base := pkg(t, s, stanza("base", "Essential: yes"), "/usr/bin/sh =1", "/usr/share/doc/base =1", "@postinst =#!/bin/sh\ncommand -v added\n",
		"/usr/sbin/tell =#!/bin/sh\n# added\n. /lib/telling/parts.sh\n", "/usr/lib/telling/parts.sh =#!/bin/sh\nrun-parts /usr/share/place\n",
		"/usr/sbin/silent =#!/bin/sh\necho role\n", "/etc/init.d/base =#!/bin/sh\nls /etc/init.d/$1\n", "/usr/sbin/compiled =role")
	added := pkg(t, s, stanza("added", "Provides: role (= 1), other"), "/bin/do-it =1", "/usr/share/doc/added =1", "/usr/share/place/part/file =1")
	python := func(hook string) *Package {
		return pkg(t, s, stanza("python3"), "@postinst =#!/bin/sh\nrun-parts /usr/share/python3/runtime.d\n",
			"/usr/share/python3/runtime.d/public_modules.rtinstall =#!/bin/sh\n"+hook+" /usr/lib/python3/dist-packages\n")
	}
	module := func(postinst string) *Package {
		return pkg(t, s, stanza("module"), "/usr/lib/python3/dist-packages/module.py =1", "@postinst =#!/bin/sh\n"+postinst+"\n")
	}
	const compiles = "the /usr/share/python3/runtime.d/public_modules.rtinstall of python3 names /usr/lib/python3/dist-packages, which module has"
	files := func(lines ...string) *tree.Tree { return pkg(t, s, stanza("files"), lines...).Files }
	for _, c := range []struct {
		ran, added *Package
		want       string
	}{
		{postinst("true"), added, ""},
		{postinst("# added\n  # do-it"), added, ""},
		{postinst("added-more; readded; do-it-not; /usr/share/add"), added, ""},
		{postinst("dpkg -s added"), added, "the postinst of ran names added, which added has"},
		{postinst("dpkg -l | grep role"), added, "the postinst of ran names role, which added has"},
		{postinst("if command -v do-it; then"), added, "the postinst of ran names do-it, which added has"},
		{postinst("[ -x /bin/do-it ]"), added, "the postinst of ran names do-it, which added has"},
		{postinst("for f in /usr/share/place/part/*"), added, "the postinst of ran names /usr/share/place/part, which added has"},
		{postinst("cat /usr/share/place/part/another"), added, ""},
		{postinst("cat /usr/share/place/part/fil*"), added, "the postinst of ran names /usr/share/place/part, which added has"},
		{postinst("test -e /usr/share/doc/added"), added, "the postinst of ran names added, which added has"},
		{postinst("cat /usr/share/doc/notes"), pkg(t, s, stanza("added"), "/usr/share/doc/notes =1"), "the postinst of ran names /usr/share/doc/notes, which added has"},
		{postinst("ls /usr/share/doc"), added, ""}, // every package has something there
		{postinst("ls /lib/place/*"), pkg(t, s, stanza("added"), "/usr/lib/place/file =1"), "the postinst of ran names /usr/lib/place, which added has"},
		{postinst("tell"), added, "the /usr/lib/telling/parts.sh of base names /usr/share/place, which added has"},
		{postinst("/sbin/silent"), added, "the /usr/sbin/silent of base names role, which added has"},
		{postinst("compiled"), added, ""},
		{postinst("[ ! -x /etc/init.d/base ] || invoke-rc.d base start"), pkg(t, s, stanza("added"), "/etc/init.d/added =1"), ""},
		{postinst("echo $role ${do-it}"), added, ""},
		{postinst("true"), pkg(t, s, stanza("added"), "@preinst =dpkg-divert --add /usr/bin/sh"), "the preinst of added diverts files"},
		{postinst("true"), pkg(t, s, stanza("added", "Priority: required")), "added is of the base"},
		{postinst("true"), pkg(t, s, stanza("added"), "/usr/share/made =1"), "scripts made /usr/share/made, which added ships"},
		{postinst("true"), pkg(t, s, stanza("added", "Replaces: ran"), "/usr/share/ran =2"), "added replaces /usr/share/ran of ran"},
		{pkg(t, s, stanza("ran"), "@triggers =interest-noawait /usr/share/place\n", "@postinst =#!/bin/sh\nls /usr/share/place/part\n"), added, ""},
		{python("py3compile"), module("if true; then\n\tpy3compile -p module \nfi"), ""},
		{python("py3compile"), module("true"), compiles},
		{python("py3compile"), module("py3compile -p module -V 3.12"), compiles},
		{python("py3compile"), module("py3compile -p modules"), compiles},
		{python("module; py3compile"), module("py3compile -p module"), "the /usr/share/python3/runtime.d/public_modules.rtinstall of python3 names module, which module has"},
		{postinst("ls /usr/lib/python3/dist-packages"), module("py3compile -p module"), "the postinst of ran names /usr/lib/python3/dist-packages, which module has"},
	} {
		below := &configured{
			members: map[string]bool{base.key(): true, c.ran.key(): true},
			before:  files(), after: files("/usr/share/made =1"),
		}
		have, err := unnoticed(s, []*Package{base, c.ran, c.added}, below)
		if err != nil || have != c.want {
			t.Errorf("%q, %v; want %q", have, err, c.want)
		}
	}
}
