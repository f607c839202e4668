package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fleet is a repository of n machines with roles, over several files.
func fleet(n int) []string {
	var machines bytes.Buffer
	machines.WriteString("package stet\n\nimport \"example.org/machines/keys\"\n\nmachines: [Name=string]: {hostname: *\"\\(Name).example.org\" | _, users: ada: ssh_keys: keys.#Ada}\n")
	for i := range n {
		fmt.Fprintf(&machines, "machines: \"m%d\": _web & {services: nginx: sites: shop: listen: %d}\n", i, 8000+i)
	}
	return []string{
		"cue.mod/module.cue", "module: \"example.org/machines\"\nlanguage: version: \"v0.17.0\"\n",
		"keys/ada.cue", "package keys\n\nimport \"example.org/machines/keys/text\"\n\n#Ada: \"\\(text.kind) AAAA ada\": {}\n",
		"keys/text/kind.cue", "package text\n\nkind: \"ssh-ed25519\"\n",
		"roles.cue", "package stet\n\n_web: {\n\ttimezone: *\"Europe/Berlin\" | _\n\tpackages: curl: {}\n\tservices: nginx: sites: shop: {root: \"/srv/shop\", listen: *80 | _}\n\tservices: ssh: {}\n}\n",
		"machines.cue", machines.String(),
	}
}

func TestPackagesOfTheRepositoryAreImported(t *testing.T) {
	c := load(t, fleet(2)...)
	m := c.Machines["m1"]
	if m == nil || m.Hostname != "m1.example.org" || m.Timezone != "Europe/Berlin" || !cmp.Equal(m.Users["ada"].SSHKeys, []string{"ssh-ed25519 AAAA ada"}) {
		t.Errorf("m1 is %+v", m)
	}
	if got := m.Files["/etc/nginx/sites-enabled/shop"].Text; !strings.Contains(got, "listen 8001;") {
		t.Errorf("its site is %s", got)
	}
	if diff := cmp.Diff([]string{"cue.mod/module.cue", "keys/ada.cue", "keys/text/kind.cue", "machines.cue", "roles.cue"}, c.Files); diff != "" {
		t.Error(diff)
	}
	if got := c.Places("m1")[`users.ada.ssh_keys."ssh-ed25519 AAAA ada"`].String(); got != "keys/ada.cue:5:32" {
		t.Errorf("the key comes from %s", got)
	}
}

// TestOneMachineIsEvaluatedWithoutTheOthers: what is written of a machine
// matters to another only when that refers to it.
func TestOneMachineIsEvaluatedWithoutTheOthers(t *testing.T) {
	for name, test := range map[string]struct{ text, kept string }{
		"apart":             {"machines: {a: {}, b: {}\n c: {}}\n", "a"},
		"shorthand":         {"machines: a: {}\nmachines: b: {}\n", "a"},
		"quoted":            {"machines: {\"a\": {}, \"b\": {}}\n", "a"},
		"by name":           {"machines: {a: b & {}, b: c, c: {}, d: {}}\n", "abc"},
		"from outside":      {"machines: {a: {}, b: {}, c: {}}\n_x: b\n", "ab"},
		"as a whole":        {"machines: {a: hostname: machines.b.name, b: {}, c: {}}\n", "abc"},
		"a label is no use": {"machines: {a: packages: b: _, b: {}}\n_x: {b: 1}\n_y: _x.b\n", "a"},
		"a pattern":         {"machines: [string]: {}\nmachines: {a: {}, b: {}}\n", "a"},
		"an alias":          {"machines: {a: hostname: w.name, w=\"b\": {}, c: {}}\n", "ab"},
		"in a loop":         {"machines: {a: {}, b: {}}\nfor x in [\"c\"] {machines: (x): {}}\n", "ac"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := read(repository(t, "x.cue", "package stet\n"+test.text))
			if err != nil {
				t.Fatal(err)
			}
			text := string(r.of("a")[0].text)
			if len(text) != len(r.files[0].text) || strings.Count(text, "\n") != strings.Count(string(r.files[0].text), "\n") {
				t.Errorf("places moved:\n%s", text)
			}
			for _, machine := range []string{"b", "c", "d"} {
				written := strings.Contains(test.text, machine+": {}") || strings.Contains(test.text, `"`+machine+`": {}`) || strings.Contains(test.text, machine+": c,")
				blank := !strings.Contains(strings.ReplaceAll(text, `"`, ""), machine+": {}") && !strings.Contains(text, machine+": c,")
				if written && blank == strings.Contains(test.kept, machine) {
					t.Errorf("%s: blank is %v in\n%s", machine, blank, text)
				}
			}
			if _, problems := parse(r.of("a")[0], newPlaces()); len(problems) > 0 {
				t.Errorf("%v in\n%s", problems, text)
			}
		})
	}
}

// TestMachinesTogetherAreWhatTheyAreApart holds the evaluation without the
// others against the one of everything.
func TestMachinesTogetherAreWhatTheyAreApart(t *testing.T) {
	dir := repository(t, fleet(3)...)
	r, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.outlines {
		r.outlines[i].words["machines"] = true // as if one referred to all
	}
	apart, err := Load(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range apart.Names() {
		e, err := r.evaluate(context.Background(), name, DefaultLimit())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e.machine, apart.Machines[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestBuiltInModulesHaveNoPrivilege moves each built-in module into the
// repository: it must come to the same there.
func TestBuiltInModulesHaveNoPrivilege(t *testing.T) {
	all, err := builtins()
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob("../../examples/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal(dirs, err)
	}
	for _, dir := range dirs {
		built, err := Load(context.Background(), dir)
		if err != nil {
			continue // an example of several parts is checked elsewhere
		}
		for _, moved := range all {
			if !strings.HasPrefix(moved.name, builtinPrefix+"modules/") {
				continue
			}
			r, err := read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if r.yaml == nil {
				continue
			}
			var own []cueFile
			for _, f := range all {
				if f.name != moved.name {
					own = append(own, f)
				}
			}
			files := append(r.files, cueFile{strings.TrimPrefix(moved.name, builtinPrefix+"modules/"), moved.text})
			e := &evaluation{texts: r, file: FileName, where: newPlaces()}
			if e.language, err = join(own, r, files, e.where); err != nil {
				t.Fatalf("%s in the repository: %v", moved.name, err)
			}
			if e, err = e.yaml(); err != nil {
				t.Errorf("%s with %s in its repository: %v", dir, moved.name, err)
				continue
			}
			if diff := cmp.Diff(built.Machines[e.machine.Name], e.machine); diff != "" {
				t.Errorf("%s with %s in its repository: %s", dir, moved.name, diff)
			}
		}
	}
}

// TestAModuleInAPackage: a module's parts may be in a package of the
// repository.
func TestAModuleInAPackage(t *testing.T) {
	m := load(t,
		"cue.mod/module.cue", "module: \"example.org/machines@v0\"\n",
		"backup/options.cue", "package backup\n\n#Options: {\n\t// Where to.\n\ttarget!: =~\"^/\" @expected(\"an absolute path\")\n}\n\n#Unit: {target: string, text: \"[Service]\\nExecStart=/usr/bin/borg create \\(target)\\n\"}\n",
		"backup.cue", "package stet\n\nimport borg \"example.org/machines/backup\"\n\n#Services: backup?: borg.#Options\n\n#Machine: {\n\tservices: _\n\tif services.backup != _|_ {\n\t\tlet made = borg.#Unit & {target: services.backup.target}\n\t\tunits: \"backup.service\": text: made.text\n\t}\n}\n",
		FileName, "name: a\nservices: {backup: {target: /srv/b}}\n").Machines["a"]
	if got := m.Units["backup.service"].Text; got != "[Service]\nExecStart=/usr/bin/borg create /srv/b\n" {
		t.Errorf("the unit is %q", got)
	}
}

// TestEvaluationsAreGivenUp: a loop that runs too long is named, and the other
// machines' mistakes are told beside it.
func TestEvaluationsAreGivenUp(t *testing.T) {
	dir := repository(t, "x.cue", "package stet\n\nimport \"list\"\n\nmachines: a: {\n\tfor i in list.Range(0, 10, 1) {packages: \"p\\(i)x\": {}}\n\tfiles: \"/etc/x\": text: \"\\(len([for i in list.Range(0, 1000000, 1) for j in list.Range(0, 100000, 1) {i * j}]))\"\n}\nmachines: b: bass: 1\n")
	_, err := Loader{Limit: Limit{Time: 500 * time.Millisecond, Memory: 2 << 30}}.Load(context.Background(), dir)
	problems := (Problems)(nil)
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("got %v", err)
	}
	if got := problems[0].Error(); got != "x.cue:7:68: machines.a: its evaluation was given up after 500ms of processor time" {
		t.Errorf("got %s", got)
	}
	if got := problems[1].Error(); got != "x.cue:9:14: bass: unknown option" {
		t.Errorf("got %s", got)
	}
}

func BenchmarkFleet(b *testing.B) {
	dir := repository(b, fleet(50)...)
	for b.Loop() {
		if _, err := Load(context.Background(), dir); err != nil {
			b.Fatal(err)
		}
	}
}
