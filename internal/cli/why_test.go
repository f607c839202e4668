package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/config"
	"stet/internal/generation"
	"stet/internal/source"
	"stet/internal/state"
	"stet/internal/store"
	"stet/internal/system/systemtest"
)

// pastMachine is a machine with a repository, generations and processes, all in
// directories.
type pastMachine struct {
	t *testing.T
	installed
	commits int
}

const whyConfiguration = `name: hello
packages: [curl]
users: {ada: {shell: /bin/sh}}
files: {/etc/motd: {text: "hello\n"}}
services: {nginx: {sites: {default: {root: /srv/www}}}}
`

// newPastMachine has generations 2 to 6, of which 5 runs: 4 is what went wrong, and
// 5 went back to 3; 6 is to start next. The repository has moved on.
func newPastMachine(t *testing.T) *pastMachine {
	t.Helper()
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "TZ": "UTC",
		"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
	} {
		t.Setenv(name, value)
	}
	m := &pastMachine{t: t, installed: installed{root: t.TempDir(), store: t.TempDir()}}
	m.check(os.MkdirAll(m.repository(), 0o755))
	m.git("init", "--quiet", "--initial-branch=main")
	first := m.commit(strings.Replace(whyConfiguration, "hello\\n", "first\\n", 1), "hello: begin")
	second := m.commit(whyConfiguration, "motd: greet")
	broken := m.commit(whyConfiguration+"sysctl: {net.ipv4.ip_forward: 1}\n", "sysctl: route \x1b[31m")

	old := m.system("first\n", "1.26.3-2", "/bin/bash")
	now := m.system("hello\n", "1.26.3-3", "/bin/sh")
	m.generation(2, old, first)
	m.generation(3, now, second)
	m.generation(4, m.system("hello\n", "1.26.3-4", "/bin/sh", "net.ipv4.ip_forward=1\n"), broken)
	m.generation(5, now, second)
	m.generation(6, m.system("next\n", "1.26.3-3", "/bin/sh"), second)
	m.commit("# Moved on.\n# By two lines.\n"+whyConfiguration, "describe it")

	record := state.Boot{Machine: "hello", System: now}.Bytes()
	m.file(t, state.BootFile, string(record))
	m.file(t, "/proc/cmdline", fmt.Sprintf("quiet stet.system=%s stet.generation=5\n", now))
	m.listen()
	return m
}

func (m *pastMachine) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *pastMachine) git(args ...string) {
	m.t.Helper()
	if out, err := source.Git(m.t.Context(), m.repository(), args...).CombinedOutput(); err != nil {
		m.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// commit writes the configuration, and gives what a generation of it knows.
func (m *pastMachine) commit(text, subject string) generation.Provenance {
	m.t.Helper()
	m.commits++
	date := fmt.Sprintf("2026-01-%02dT12:00:00Z", m.commits)
	m.t.Setenv("GIT_AUTHOR_DATE", date)
	m.t.Setenv("GIT_COMMITTER_DATE", date)
	m.check(os.WriteFile(filepath.Join(m.repository(), config.FileName), []byte(text), 0o644))
	m.git("add", ".")
	m.git("commit", "--quiet", "--message", subject)
	return m.provenance()
}

// provenance is what a build of the repository as it is would know.
func (m *pastMachine) provenance() (p generation.Provenance) {
	m.t.Helper()
	s, err := store.Open(m.store)
	m.check(err)
	defer s.Close()
	p.Commit, err = source.Describe(m.t.Context(), m.repository())
	m.check(err)
	p.Bundle, err = bundle(m.t.Context(), s, m.repository(), p.Commit)
	m.check(err)
	c, err := config.Load(m.t.Context(), m.repository())
	m.check(err)
	places, err := json.Marshal(c.Places("hello"))
	m.check(err)
	p.SourceMap, err = s.PutBytes(places)
	m.check(err)
	return p
}

// system has what a text, a version of nginx and a shell decide.
func (m *pastMachine) system(motd, nginx, shell string, sysctl ...string) string {
	m.t.Helper()
	s, err := store.Open(m.store)
	m.check(err)
	defer s.Close()
	status := ""
	for _, p := range [][3]string{
		{"libc6", "2.41-12", "Priority: optional"}, {"libssl3t64", "3.5.1-1", "Depends: libc6\nProvides: libssl3 (= 3.5.1-1)"},
		{"curl", "8.14-2", "Depends: libc6, libssl3t64\nRecommends: openssh-server"}, {"nginx-common", nginx, "Priority: optional"}, {"nginx", nginx, "Depends: nginx-common, libssl3t64"},
		{"openssh-server", "10.0-7", "Priority: optional\nDepends: libssl3t64"},
		{"base-passwd", "3.6", "Essential: yes\nPriority: required"},
	} {
		status += fmt.Sprintf("Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: amd64\nMaintainer: A <a@example.org>\nDescription: a\n%s\n\n", p[0], p[1], p[2])
	}
	const database = "/lib/sysimage/dpkg/"
	return systemtest.Put(m.t, s, systemtest.System{
		Usr: map[string]string{
			database + "status":                     status,
			database + "info/nginx.list":            "/.\n/usr/sbin/nginx\n",
			database + "info/nginx-common.list":     "/.\n/etc/nginx/mime.types\n/etc/motd\n/usr/lib/systemd/system/nginx.service\n",
			database + "info/openssh-server.list":   "/.\n/usr/lib/systemd/system/ssh.socket\n",
			"/lib/systemd/system/ssh.socket":        "[Socket]\nListenStream=0.0.0.0:22\n",
			"/sbin/nginx":                           "ELF",
			"/lib/systemd/system/nginx.service":     "[Service]\nExecStart=/usr/sbin/nginx\n[Install]\nWantedBy=multi-user.target\n",
			"/lib/systemd/system/page.service":      "[Unit]\nWants=nginx.service\n[Service]\nUser=ada\nExecStart=/bin/cat /etc/motd\n",
			"/lib/systemd/system/multi-user.target": "[Unit]\n",
		},
		Etc: map[string]string{
			"/motd": motd, "/nginx/mime.types": "types", "/sysctl.d/99.conf": strings.Join(sysctl, ""),
			"/passwd": "root:x:0:0::/root:/bin/bash\nada:x:1000:1000::/home/ada:" + shell + "\n", "/group": "root:x:0:\nada:x:1000:\n",
			"/systemd/system/multi-user.target.wants/nginx.service": "", "/systemd/system/own.service": "",
		},
	})
}

func (m *pastMachine) generation(number int, system string, p generation.Provenance) {
	m.t.Helper()
	m.check(m.generations().Add(generation.Record{
		Number: number, System: system, Date: time.Date(2026, 11, number, 12, 0, 0, 0, time.UTC), Origin: generation.Switch, Provenance: p,
	}))
}

// listen has nginx listen at port 80, and a stranger at 4444.
func (m *pastMachine) listen() {
	m.t.Helper()
	m.file(m.t, "/proc/1/net/tcp", `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 502 1 0000000000000000 100 0 0 10 0
   2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 504 1 0000000000000000 100 0 0 10 0
   1: 00000000:115C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 503 1 0000000000000000 100 0 0 10 0
`)
	for pid, of := range map[int][3]string{
		1:   {"init.scope", "/usr/lib/systemd/systemd", "504"},
		612: {"nginx.service", "/usr/sbin/nginx", "502"}, 700: {"stranger.service", "/usr/local/bin/stranger", "503"},
	} {
		dir := fmt.Sprintf("/proc/%d/", pid)
		m.file(m.t, dir+"cgroup", "0::/"+of[0]+"\n")
		m.check(os.MkdirAll(m.at(dir+"fd"), 0o755))
		m.check(os.Symlink("socket:["+of[2]+"]", m.at(dir+"fd/6")))
		m.check(os.Symlink(of[1], m.at(dir+"exe")))
	}
}

// why runs the command on the machine.
func (m *pastMachine) why(args ...string) (code int, stdout, stderr string) {
	m.t.Helper()
	var out, problems bytes.Buffer
	code = Run(m.t.Context(), Environment{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &problems, Dir: m.root, Root: m.root, Now: time.Now,
		Getenv: func(name string) string { return map[string]string{"STET_STORE": m.store}[name] },
	}, append([]string{"why"}, args...))
	return code, out.String(), problems.String()
}

// ownPlace is a place in a module or the schema, which moves with these.
var ownPlace = regexp.MustCompile(`(?m)^(stet:[a-z/_-]+\.cue):\d+:\d+:`)

// pages asks for words, and gives what is printed.
func (m *pastMachine) pages(words ...string) (all string) {
	m.t.Helper()
	for _, word := range words {
		code, out, problems := m.why(word)
		if code != 0 {
			m.t.Errorf("why %s: exit code %d: %s", word, code, problems)
		}
		all += "$ stet why " + word + "\n" + ownPlace.ReplaceAllString(out, "$1:L:C:") + "\n"
	}
	return all
}

var whyWords = []string{
	"/etc/motd", "ada", "nginx", "curl", "libssl3", "nginx.service", "/etc/nginx/mime.types", "/usr/sbin/nginx", "root", "timezone", "80/tcp", "22", "4444", "base-passwd",
}

func TestWhyOfTheSystemThatRuns(t *testing.T) {
	m := newPastMachine(t)
	have := m.pages(whyWords...)
	const file = "testdata/why.txt"
	if *update {
		m.check(os.WriteFile(file, []byte(have), 0o644))
	}
	want, err := os.ReadFile(file)
	m.check(err)
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Error(diff)
	}

	// The copy of the repository in the store says the same.
	m.check(os.RemoveAll(m.repository()))
	if diff := cmp.Diff(have, m.pages(whyWords...)); diff != "" {
		t.Errorf("without the repository: %s", diff)
	}
}

// runs makes a generation the one that runs.
func (m *pastMachine) runs(number int, system string) {
	m.t.Helper()
	record := state.Boot{Machine: "hello", System: system}.Bytes()
	m.file(m.t, state.BootFile, string(record))
	m.file(m.t, "/proc/cmdline", fmt.Sprintf("stet.system=%s stet.generation=%d\n", system, number))
}

func (m *pastMachine) contains(text string, parts ...string) {
	m.t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			m.t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestWhyTellsProgramsAllGenerations(t *testing.T) {
	m := newPastMachine(t)
	_, out, _ := m.why("--json", "nginx")
	var reports []whyReport
	m.check(json.Unmarshal([]byte(out), &reports))
	if len(reports) != 1 || reports[0].Generation != 5 || len(reports[0].History) != 5 {
		t.Fatal(out)
	}
	have := ""
	for _, g := range reports[0].History {
		have += fmt.Sprintf("%d %v %v %s %.4s %s\n", g.Number, g.Has, g.Same, g.Value, g.Commit, g.Date.Format("01-02"))
	}
	want := "2 true false 1.26.3-2 a0d7 11-02\n3 true true 1.26.3-3 8e65 11-03\n4 true false 1.26.3-4 55f3 11-04\n5 true true 1.26.3-3 8e65 11-05\n6 true true 1.26.3-3 8e65 11-06\n"
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if _, out, _ = m.why("--json", "80"); json.Unmarshal([]byte(out), &reports) != nil || len(reports) != 2 || reports[1].Sockets[0].PID != 612 || reports[1].Units[0].Unit != "multi-user.target" {
		t.Error(out)
	}
}

func TestWhyOfAVariable(t *testing.T) {
	m := newPastMachine(t)
	history, err := m.generations().List()
	m.check(err)
	m.runs(4, history.Generations[2].System)
	_, out, _ := m.why("net.ipv4.ip_forward")
	m.contains(out, `stet.yaml:6:10: sysctl."net.ipv4.ip_forward"`, "\n1 since generation 4 (2026-11-04, ", "sysctl: route �[31m)\n", "\nbefore: not in 2 and 3\nlater: not in 5 and 6\n")
}

func TestWhomWhyAsks(t *testing.T) {
	m := newPastMachine(t)
	other := t.TempDir()
	m.check(os.WriteFile(filepath.Join(other, config.FileName), []byte("name: other\nusers: {eve: {}}\n"), 0o644))
	s, err := store.Open(m.store)
	m.check(err)
	record, err := json.Marshal(buildRecord{Format: 1, System: m.system("built\n", "1.28.0-1", "/bin/sh")})
	m.check(err)
	m.check(s.SetRoot(rootName(m.repository(), "hello"), record))
	m.check(s.Close())
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-C", m.repository(), "--machine", "hello", "libssl3"}, "libssl3 is provided by package libssl3t64\nwhich curl needs\nstet.yaml:4:12: packages.curl\n"}, // of the last build
		{[]string{"-C", m.repository(), "--machine", "hello", "ada"}, "the user of page.service\n"},
		{[]string{"-C", m.repository(), "ada"}, "since generation 3"},
		{[]string{"-C", m.repository(), "--machine", "hello", "ada"}, "stet.yaml:5:9: users.ada"}, // as it is by now
		{[]string{"-C", other, "eve"}, "stet.yaml:2:9: users.eve"},
	} {
		code, out, problems := m.why(c.args...)
		if code != 0 {
			t.Errorf("%v: exit code %d: %s", c.args, code, problems)
		}
		m.contains(out, c.want)
		if strings.Contains(out, "generation") != strings.Contains(c.want, "generation") {
			t.Errorf("%v asks another machine:\n%s", c.args, out)
		}
	}
	if code, _, problems := m.why("-C", other+"/none", "ada"); code != ExitInput {
		t.Errorf("exit code %d: %s", code, problems)
	}
}

func TestWhyOfAGenerationThatNoCommitHas(t *testing.T) {
	m := newPastMachine(t)
	file := filepath.Join(m.repository(), config.FileName)
	m.check(os.WriteFile(file, []byte(whyConfiguration+"timezone: Europe/Berlin\n"), 0o644))
	p := m.provenance()
	if !p.Dirty {
		t.Fatalf("%+v", p)
	}
	system := m.system("dirty\n", "1.26.3-3", "/bin/sh")
	m.generation(7, system, p)
	m.runs(7, system)

	// The repository is as it was.
	_, out, _ := m.why("timezone")
	m.contains(out, "stet.yaml:6:1: timezone\n", "     not committed yet\n", "declared since generation 2 (2026-11-02, a0d76a0d87 hello: begin), the oldest that is there\n")
	_, out, _ = m.why("/etc/motd")
	m.contains(out, "Ada  motd: greet\n", "as it is since generation 7 (2026-11-07, ", "+ describe it)\n", "before: otherwise in 2 to 6\n")

	// It is another one: the places are left.
	m.commit("# above\n"+whyConfiguration, "describe it otherwise")
	_, out, _ = m.why("timezone")
	m.contains(out, "stet.yaml:6:11: timezone\n", "generation 7 was built from changes that no commit has, upon ")
	if strings.Contains(out, "Ada") {
		t.Errorf("somebody is named who may not have written it:\n%s", out)
	}
	_, out, _ = m.why("libssl3t64")
	m.contains(out, "which curl needs\nstet.yaml:2:12: packages.curl\n")
}

func TestWhyWhenSomethingIsGone(t *testing.T) {
	m := newPastMachine(t)
	history, err := m.generations().List()
	m.check(err)
	manifest, err := os.ReadFile(filepath.Join(m.store, "systems", history.Generations[0].System))
	m.check(err)
	var of struct{ Trees map[string]string }
	m.check(json.Unmarshal(manifest, &of))
	m.check(os.WriteFile(filepath.Join(m.store, "trees", of.Trees["etc"]), []byte("/ damaged\n"), 0o600))
	_, out, _ := m.why("/etc/motd")
	m.contains(out, "as it is since generation 3 ", "before: unknown in 2\n")

	m.check(m.generations().Remove(5))
	m.check(m.generations().Remove(3))
	_, out, _ = m.why("curl")
	m.contains(out, "curl is a package\n", "no generation is recorded of the system that runs")
}

func TestWhyOfWhatThereIsNot(t *testing.T) {
	m := newPastMachine(t)
	m.file(t, "/etc/stray", "x")
	for word, want := range map[string]string{
		"ngnix": `did you mean "nginx"?`, "page.servic": `did you mean "page.service"?`, "/etc/stray": "`stet drift` says", "/var/lib/old": "name a path", "oner.service": `did you mean "own.service"?`,
		"81/tcp": "nothing on hello listens at 81/tcp", "": "name a path",
	} {
		code, out, problems := m.why(word)
		if code != ExitInput || out != "" {
			t.Errorf("why %q: exit code %d: %s", word, code, out)
		}
		m.contains(problems, want)
	}
	m.file(t, "/proc/1/net/tcp", "sl\n")
	_, out, _ := m.why("80")
	m.contains(out, "nothing listens at 80 now\n")
	m.check(os.Rename(filepath.Join(m.store, "systems"), filepath.Join(m.store, "gone")))
	m.check(os.Mkdir(filepath.Join(m.store, "systems"), 0o700))
	code, _, problems := m.why("ada")
	if code != ExitFailed {
		t.Errorf("exit code %d", code)
	}
	m.contains(problems, "the system that runs is not in the store", "STET_STORE")
	m.check(os.Remove(filepath.Join(m.store, "systems")))
	m.check(os.Rename(filepath.Join(m.store, "gone"), filepath.Join(m.store, "systems")))
	_, out, _ = m.why("/etc/passwd")
	m.contains(out, "as it is since generation 3", "no package ships /etc/passwd")
}

func TestOptionsOfASourceMap(t *testing.T) {
	places := mapped{
		`files."/etc/motd".text`: {File: "stet.yaml", Line: 3}, `files."/etc/motd.d".text`: {File: "stet.yaml", Line: 4}, `users.ada.groups.sudo`: {File: "stet.yaml", Line: 9},
		`users.ada.shell`: {File: "stet:schema/base.cue", Line: 2}, `packages.curl`: {File: "stet.yaml", Line: 1}, `kernel.parameters.quiet`: {File: "stet.yaml", Line: 2}, `timezone`: {File: "stet.yaml", Line: 12},
	}
	for word, want := range map[string]string{
		"/etc/motd": `files."/etc/motd" stet.yaml:3`, "ada": "users.ada stet.yaml:9", "users.ada.shell": "users.ada.shell stet:schema/base.cue:2", "curl": "packages.curl stet.yaml:1",
		"quiet": "kernel.parameters.quiet stet.yaml:2", "timezone": "timezone stet.yaml:12", "ad": "", "": "", "/etc": "",
	} {
		have := ""
		for _, option := range places.find(word) {
			place, _ := places.at(option)
			have += option + " " + place.String()
		}
		if have != want {
			t.Errorf("%q means %q, want %q", word, have, want)
		}
	}
	if !places.wants("curl") || places.wants("wget") {
		t.Error("the wrong packages are wanted")
	}
}

func TestHowGenerationsAreListed(t *testing.T) {
	for want, numbers := range map[string][]int{"1": {1}, "1 and 2": {1, 2}, "1 to 3": {1, 2, 3}, "1, 3 to 5 and 9": {1, 3, 4, 5, 9}, "": nil} {
		if have := spans(numbers); have != want {
			t.Errorf("%v: %q, want %q", numbers, have, want)
		}
	}
}
