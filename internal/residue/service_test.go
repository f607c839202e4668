package residue

import (
	"slices"
	"strings"
	"testing"
)

func service(t *testing.T, name string) *Rule {
	t.Helper()
	table, _, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for i := range table.Rules {
		if r := &table.Rules[i]; r.Class == Service && r.Service.Name == name {
			return r
		}
	}
	t.Fatalf("the table has no service %s", name)
	return nil
}

func TestEachVersionHasItsOwnState(t *testing.T) {
	r := service(t, "postgresql")
	states := r.Instances([]string{"/usr/lib/postgresql/17/bin/initdb", "/usr/lib/postgresql/18/bin/initdb", "/usr/lib/postgresql/17/bin/psql"})
	if len(states) != 2 || states[0].Name != "postgresql-17" || states[1].Name != "postgresql-18" {
		t.Fatalf("have %+v", states)
	}
	s := states[1]
	if !strings.Contains(s.Make, "--no-status 18 main") || s.Done != "/var/lib/postgresql/18/main/PG_VERSION" ||
		!slices.Contains(s.Service.Units, "postgresql@18-main.service") || s.Service.Needs != "postgresql-18" {
		t.Errorf("have %+v %+v", s, s.Service)
	}
	if !strings.Contains(r.Make, "%i") || !slices.Contains(r.Service.Clear, "/var/lib/postgresql/%i/main") {
		t.Error("the rule itself was changed")
	}
}

func TestAServiceWithoutVersionsHasOneState(t *testing.T) {
	if states := service(t, "mariadb").Instances(nil); len(states) != 1 || states[0].Name != "mariadb" {
		t.Errorf("have %+v", states)
	}
}

func TestServiceNamesAreUnique(t *testing.T) {
	table, _, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range table.Rules {
		if r.Class != Service {
			continue
		}
		if seen[r.Service.Name] {
			t.Errorf("two rules are for the service %s", r.Service.Name)
		}
		seen[r.Service.Name] = true
	}
}

func TestParseRefusesServices(t *testing.T) {
	whole := "Paths: /var/lib/x/**\nClass: service\nService: x\nPackage: x\nClear: /var/lib/x\nDone: /var/lib/x/a\nMake: m\nPersist: /etc/x\nWhy: y\n"
	if _, err := Parse([]byte("Format: 1\n\n" + whole)); err != nil {
		t.Fatal(err)
	}
	for old, c := range map[string]struct{ new, problem string }{
		"Service: x\n":               {"", "has Service and Package"},
		"Done: /var/lib/x/a\n":       {"", "Done and Clear too"},
		"Clear: /var/lib/x\n":        {"Clear: /var/lib\n", "in none of the Paths"},
		"Persist: /etc/x\n":          {"Persist: /var/x\n", "below /etc"},
		"Why: y\n":                   {"Why: y\nMigrate: m\n", "Migrate and Needs"},
		"Package: x\n":               {"Package: x\nEach: /usr/x\n", `has one "*"`},
		"Make: m\nPersist: /etc/x\n": {"", "Make, Persist or both"},
	} {
		text := strings.Replace(whole, old, c.new, 1)
		if _, err := Parse([]byte("Format: 1\n\n" + text)); err == nil || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("without %q: have %v, want %q", old, err, c.problem)
		}
	}
}
