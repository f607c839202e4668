package rootfs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"stet/internal/graph"
	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// people is what dpkg misses in a stanza without it.
const people = "Maintainer: nobody\nDescription: a test"

// essential makes an essential package of the programs that dpkg needs, as
// this host has them, and lines as pkg takes them.
func essential(t *testing.T, s *store.Store, lines ...string) *Package {
	t.Helper()
	p := pkg(t, s, stanza("essential", "Essential: yes", people), append(lines,
		"/tmp d", "/run d", "/proc d", "/dev d", "/sys d", "/bin >usr/bin", "/lib >usr/lib", "/lib64 >usr/lib64",
		"/etc/passwd =root:x:0:0::/root:/bin/sh\n", "/etc/group =root:x:0:\n", "/var/log d")...)
	b := tree.NewBuilder(p.Files)
	put := func(name, inside string) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := s.PutBytes(data)
		if err != nil {
			t.Fatal(err)
		}
		inside = unaliasFile(inside)
		b.MakeParents(inside, tree.Time{})
		b.Put(tree.Entry{Path: inside, Type: tree.Regular, Mode: 0o755, Size: int64(len(data)), Digest: digest, Mtime: tree.Time{Sec: 1000}})
	}
	// dpkg wants to find them all before it does anything.
	for _, name := range []string{"sh", "env", "rm", "cat", "diff", "tar", "ldconfig", "start-stop-daemon", "dpkg", "dpkg-deb", "dpkg-divert", "dpkg-query", "dpkg-split", "dpkg-trigger"} {
		found, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("%v: this test runs dpkg as it is on a Debian host", err)
		}
		put(found, "/usr/bin/"+name)
		libraries, _ := exec.Command("ldd", found).Output() // fails for what is linked statically
		for word := range strings.FieldsSeq(string(libraries)) {
			if filepath.IsAbs(word) {
				put(word, word)
			}
		}
	}
	var err error
	if p.Files, err = b.Tree(); err != nil {
		t.Fatal(err)
	}
	return p
}

// machines configures sets of packages in one store and counts the runs of layers.
type machines struct {
	t            *testing.T
	s            *store.Store
	mu           sync.Mutex
	bases, ahead int
}

func (m *machines) configure(packages ...*Package) *tree.Tree {
	m.t.Helper()
	digest, err := m.builder().Configure(m.t.Context(), input(packages))
	if err != nil {
		m.t.Fatal(err)
	}
	made, err := m.s.Tree(digest)
	if err != nil {
		m.t.Fatal(err)
	}
	return made
}

func (m *machines) builder() *Builder {
	return &Builder{Store: m.s, Provider: Overlay{}, Observe: func(step graph.Step) func(graph.Outcome) {
		return func(o graph.Outcome) {
			m.mu.Lock()
			defer m.mu.Unlock()
			switch {
			case o.Reused:
			case step.Stage == graph.Base:
				m.bases++
			case step.Stage == graph.Ahead:
				m.ahead++
			}
		}
	}}
}

// isWhole has dpkg judge a root.
func (m *machines) isWhole(made *tree.Tree) {
	m.t.Helper()
	verified, err := m.builder().Run(m.t.Context(), made, "dpkg --verify >/etc/verified 2>&1; dpkg --audit >>/etc/verified 2>&1", 5000)
	if err != nil {
		m.t.Fatal(err)
	}
	if have := m.text(verified, "/etc/verified"); have != "" {
		m.t.Errorf("dpkg --verify and --audit say %s", have)
	}
}

func input(packages []*Package) Input {
	in := Input{Architecture: "amd64", Epoch: 5000, Load: func() ([]*Package, error) { return packages, nil }}
	for _, p := range packages {
		in.Packages = append(in.Packages, Ref{p.Name, p.Version, p.Architecture, p.SHA256})
	}
	return in
}

func (m *machines) text(made *tree.Tree, name string) string {
	m.t.Helper()
	data, err := readFile(m.s, made, name)
	if err != nil {
		m.t.Fatal(err)
	}
	return string(data)
}

const basePostinst = `@postinst =#!/bin/sh
set -e
case $1 in
configure)
	if [ -e /usr/share/watched/rest ]; then echo 'saw a later package' >>/etc/ran; fi
	dpkg-divert --quiet --package essential --divert /usr/bin/tool.real --rename --add /usr/bin/tool
	echo wrapper >/usr/bin/tool
	echo configured >>/etc/ran
	;;
triggered) echo "triggered $2" >>/etc/ran ;;
esac
`

// TestTheBaseIsConfiguredOnceAndKnowsItsLaterPackages runs dpkg.
func TestTheBaseIsConfiguredOnceAndKnowsItsLaterPackages(t *testing.T) {
	s := openStore(t)
	m := machines{t: t, s: s}
	base := essential(t, s, basePostinst, "@triggers =interest-noawait /usr/share/watched\n", "/usr/share/shared =the base's\n",
		"/etc/taken.conf =one\n", "/etc/kept.conf =two\n", "@conffiles =/etc/taken.conf\n/etc/kept.conf\n")
	rest := pkg(t, s, stanza("rest", "Replaces: essential", people), "/usr/share/watched/rest =1", "/usr/share/shared =its own\n", "/usr/bin/tool =the tool\n",
		"/etc/taken.conf =mine\n", "@conffiles =/etc/taken.conf\n", "@preinst =#!/bin/sh\ncat /etc/ran >/etc/before\n",
		// Its postinst has seen the files: dpkg has no trigger pending for it.
		"@triggers =interest-noawait /usr/share/watched\n", "@postinst =#!/bin/sh\nread a </etc/hosts; echo $1 $a >>/etc/rest\n")

	made := m.configure(base, rest)
	for name, want := range map[string]string{
		"/etc/before":        "configured\n", // the preinst relies on it
		"/etc/ran":           "configured\ntriggered /usr/share/watched\n",
		"/etc/rest":          "configure 127.0.0.1 localhost\n",
		"/usr/share/shared":  "its own\n",
		"/usr/bin/tool":      "wrapper\n",
		"/usr/bin/tool.real": "the tool\n",
		"/etc/taken.conf":    "mine\n",
	} {
		if have := m.text(made, name); have != want {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
	}
	status := m.text(made, databaseDir+"/status")
	if strings.Count(status, "Status: install ok installed\n") != 2 || strings.Contains(status, "Triggers-Pending") {
		t.Errorf("dpkg's status is\n%s", status)
	}
	if list := m.text(made, databaseDir+"/info/essential.list"); strings.Contains(list, "/usr/share/shared") {
		t.Error("a file that another package replaces is still listed")
	}
	m.isWhole(made)

	other := pkg(t, s, stanza("other"), "/usr/share/other =1")
	if made = m.configure(base, other); m.text(made, "/etc/ran") != "configured\n" || m.bases != 1 {
		t.Errorf("the second machine has %q after %d runs of the base's scripts", m.text(made, "/etc/ran"), m.bases)
	}
	if made = m.configure(base); m.text(made, "/etc/ran") != "configured\n" || m.bases != 1 {
		t.Errorf("the base alone has %q after %d runs of the base's scripts", m.text(made, "/etc/ran"), m.bases)
	}
	for _, name := range []string{policyFile, hostsFile} {
		if _, left := made.Lookup(name); left {
			t.Errorf("%s is left in the root", name)
		}
	}
}

func TestABaseConfiguredAheadIsFound(t *testing.T) {
	s := openStore(t)
	m := machines{t: t, s: s}
	base := essential(t, s, basePostinst)
	if _, err := m.builder().ConfigureLayers(t.Context(), []Input{input([]*Package{base})}); err != nil {
		t.Fatal(err)
	}
	m.configure(base, pkg(t, s, stanza("rest"), "/usr/x =1"))
	if m.bases != 1 {
		t.Errorf("the base's scripts ran %d times", m.bases)
	}
	failing := essential(t, s, "@postinst =#!/bin/sh\necho no luck; exit 3\n")
	failing.SHA256 = "other"
	_, err := m.builder().ConfigureLayers(context.Background(), []Input{input([]*Package{failing})})
	if err == nil || !strings.Contains(err.Error(), "configure of package essential") || !strings.Contains(err.Error(), "no luck") {
		t.Errorf("have %v", err)
	}
}

// TestWhatIsConfiguredAheadKnowsItsLaterPackages runs dpkg. The set has packages that
// are configured ahead, and one whose files trigger, replace and divert theirs.
func TestWhatIsConfiguredAheadKnowsItsLaterPackages(t *testing.T) {
	s := openStore(t)
	m := machines{t: t, s: s}
	base := essential(t, s, "@postinst =#!/bin/sh\ncase $1 in triggered) echo base triggered $2 >>/etc/ran ;; esac\n", "@triggers =interest-noawait /usr/share/watched\n")
	watcher := pkg(t, s, stanza("watcher", people), "/usr/bin/tool =the tool\n", "/usr/share/shared =the watcher's\n", "/etc/kept.conf =one\n", "@conffiles =/etc/kept.conf\n",
		"@triggers =interest-noawait /usr/share/watched\ninterest-noawait again\n",
		"@postinst =#!/bin/sh\nset -e\ncase $1 in\nconfigure) echo tuned >>/usr/share/shared; cd /usr/share/watched; echo * >/etc/seen ;;\ntriggered) echo watcher triggered $2 >>/etc/ran ;;\nesac\n")
	caller := pkg(t, s, stanza("caller", "Depends: watcher", people), "/usr/share/watched/caller =1",
		"@postinst =#!/bin/sh\nset -e\ntest -e /etc/seen\ndpkg-trigger --no-await again\n")
	large := func(name string, lines ...string) *Package {
		return pkg(t, s, stanza(name, "Installed-Size: 70000", "Depends: watcher", "Replaces: watcher", people), lines...)
	}
	rest := large("rest", "/usr/share/watched/rest =1", "/usr/bin/tool =a wrapper\n", "/usr/share/shared =its own\n",
		"@preinst =#!/bin/sh\nset -e\ndpkg-divert --quiet --package rest --divert /usr/bin/tool.real --rename --add /usr/bin/tool\n",
		"@postinst =#!/bin/sh\nset -e\ntest -e /etc/seen\n")

	made := m.configure(base, watcher, caller, rest)
	for name, want := range map[string]string{
		"/etc/ran":           "base triggered /usr/share/watched\nwatcher triggered again /usr/share/watched\n",
		"/etc/seen":          "caller\n", // later files are not there yet
		"/usr/share/shared":  "its own\n",
		"/usr/bin/tool":      "a wrapper\n",
		"/usr/bin/tool.real": "the tool\n",
		"/etc/kept.conf":     "one\n",
	} {
		if have := m.text(made, name); have != want {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
	}
	status := m.text(made, databaseDir+"/status")
	if strings.Count(status, "Status: install ok installed\n") != 4 || strings.Contains(status, "Triggers-") {
		t.Errorf("dpkg's status is\n%s", status)
	}
	m.isWhole(made)

	m.configure(base, watcher, caller, large("other"))
	if m.bases != 1 || m.ahead != 1 {
		t.Errorf("the scripts of the base ran %d times, those ahead %d", m.bases, m.ahead)
	}
	if m.configure(base, watcher, caller); m.ahead != 1 {
		t.Error("where little is left, something was configured ahead")
	}
}

func TestWhatStandsForSecretsIsInNoRoot(t *testing.T) {
	s := openStore(t)
	table, _, err := residue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	server := pkg(t, s, stanza("openssh-server"), "/etc/ssh/sshd_config.d d")
	b := tree.NewBuilder(server.Files)
	if err := addScaffold(s, b, []*Package{server}, tree.Time{}); err != nil {
		t.Fatal(err)
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	if have := paths(t, s, made); !strings.Contains(have, "/etc/ssh/ssh_host_rsa_key=") {
		t.Errorf("nothing keeps the scripts from making a key: have %s", have)
	}
	if made, err = normalise(s, made, table, tree.Time{}); err != nil {
		t.Fatal(err)
	}
	if have := paths(t, s, made); have != "" {
		t.Errorf("have %s", have)
	}
}
