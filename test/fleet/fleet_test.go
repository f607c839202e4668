package fleet_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stet/test/example"
	"stet/test/program"
)

// most is how many lines one more machine may take.
const most = 10

// another is one more machine, with something of its own.
const another = `package stet

machines: web5: _web & {_page: "The fifth."}
`

// fleet gives the program in a copy of the example.
func fleet(t *testing.T) program.Program {
	t.Helper()
	from, err := example.Dir("fleet")
	if err != nil {
		t.Fatal(err)
	}
	p := program.New(t, filepath.Join(t.TempDir(), "fleet"))
	if err := os.CopyFS(p.Dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return p
}

// add writes one more machine down, in the file of the others or in its own, and
// gives the number of lines that this took.
func add(t *testing.T, p program.Program) int {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, "web5.cue"), []byte(another), 0o644); err != nil {
		t.Fatal(err)
	}
	return strings.Count(another, "\n")
}

func machines(t *testing.T, p program.Program) []string {
	t.Helper()
	names, err := example.Machines(t.Context(), p.Path, p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestTwelveMachinesHaveFiveRoles holds the example to what is said of it.
func TestTwelveMachinesHaveFiveRoles(t *testing.T) {
	p := fleet(t)
	if names := machines(t, p); len(names) != 12 {
		t.Errorf("the machines are %q", names)
	}
	roles, err := os.ReadFile(filepath.Join(p.Dir, "roles.cue"))
	if err != nil {
		t.Fatal(err)
	}
	of, err := os.ReadFile(filepath.Join(p.Dir, "machines.cue"))
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^(_[a-z]+):`).FindAllStringSubmatch(string(roles), -1)
	if len(declared) != 5 {
		t.Errorf("the roles are %q", declared)
	}
	for _, role := range declared {
		if !regexp.MustCompile(`\b[a-z]+[0-9]: ` + role[1] + `\b`).Match(of) {
			t.Errorf("no machine is %s", role[1])
		}
	}
}

// TestOneMoreMachineIsAFewLines adds a machine, and looks that the others stay
// what they were.
func TestOneMoreMachineIsAFewLines(t *testing.T) {
	p := fleet(t)
	before := machines(t, p)
	was := map[string]string{}
	for _, name := range before {
		was[name] = p.Must(t, "show", name).Stdout
	}
	if lines := add(t, p); lines > most {
		t.Errorf("one more machine takes %d lines", lines)
	}
	if after := machines(t, p); !slices.Equal(after, slices.Sorted(slices.Values(append(before, "web5")))) {
		t.Errorf("the machines are %q", after)
	}
	for name, text := range was {
		if is := p.Must(t, "show", name).Stdout; is != text {
			t.Errorf("%s was\n%s\nand is\n%s", name, text, is)
		}
	}
	if page := p.Must(t, "show", "web5", "files./srv/www/index.html.text").Stdout; !strings.Contains(page, "The fifth.") {
		t.Errorf("the page of web5 is %q", page)
	}
}

// TestAMachineSaysOnlyWhatIsItsOwn: what the example overrides is a default of
// its role, and nothing else of the role changes.
func TestAMachineSaysOnlyWhatIsItsOwn(t *testing.T) {
	p := fleet(t)
	for _, c := range []struct{ machine, path, want string }{
		{"web1", "services.nginx.sites.default.listen", "80"},
		{"web3", "services.nginx.sites.default.listen", "8080"},
		{"web3", "health.page.port", "8080"},
		{"web4", "timezone", "Europe/Berlin"},
		{"gate2", "hostname", "gate2.example.org"},
	} {
		if got := strings.TrimSpace(p.Must(t, "show", c.machine, c.path).Stdout); got != c.want {
			t.Errorf("%s: %s is %s, want %s", c.machine, c.path, got, c.want)
		}
	}
	if users := p.Must(t, "show", "time2", "users").Stdout; !strings.Contains(users, "ada:") || !strings.Contains(users, "grace:") {
		t.Errorf("time2 has the users\n%s", users)
	}
}
