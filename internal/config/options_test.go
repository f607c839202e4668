package config

import (
	"context"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/option"
)

var update = flag.Bool("update", false, "write the pages that are made from the schema")

// TestThePageOfOptionsIsInStep holds docs/options.md to the schema.
func TestThePageOfOptionsIsInStep(t *testing.T) {
	const name = "../../docs/options.md"
	root, err := Options("")
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	if err := option.Page(&page, root); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(name, []byte(page.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	is, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(page.String(), string(is)); diff != "" {
		t.Errorf("run `make pages`:\n%s", diff)
	}
}

// TestEveryExampleIsRight evaluates each option's example in a machine, and
// every option has words.
func TestEveryExampleIsRight(t *testing.T) {
	root, err := Options("")
	if err != nil {
		t.Fatal(err)
	}
	examples := 0
	for _, p := range option.All(root) {
		if o := p.Last(); o.Doc == "" && o.Type == "" {
			t.Errorf("%s has neither comment nor type", p)
		}
		snippet := p.Snippet()
		if snippet == "" {
			continue
		}
		examples++
		text := "name: a\n" + snippet + "\n"
		if strings.HasPrefix(snippet, "name:") {
			text = snippet + "\n"
		}
		_, err := Load(context.Background(), repository(t, FileName, text))
		var problems Problems
		errors.As(err, &problems)
		for _, problem := range problems {
			switch {
			case strings.Contains(problem.Message, "is missing"), strings.Contains(problem.Message, "says nothing about its content"):
			case strings.Contains(problem.Message, "does not exist"): // the file that it names
			case strings.Contains(problem.Message, "is called"), strings.Contains(problem.Message, "need run"): // it stands alone here
			case strings.Contains(problem.Message, "a step has exactly one"):
			default:
				t.Errorf("%s: %v", snippet, problem)
			}
		}
	}
	if examples < 40 {
		t.Errorf("only %d options have an example", examples)
	}
}

// TestOptionsOfTheRepositorysModules: they are options like any other.
func TestOptionsOfTheRepositorysModules(t *testing.T) {
	dir := repository(t, "backup.cue", "package stet\n\n#Services: {\n\t// Backups by borg.\n\tbackup?: #Backup\n}\n\n#Backup: {\n\t// Where to.\n\ttarget!: =~\"^/\" @expected(\"an absolute path, such as /backup\")\n\n\t// Every so many hours.\n\thours: *24 | int\n}\n", FileName, "name: a\nservices: {backup: {target: /srv}}\n")
	root, err := Options(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := option.Find(root, []string{"backup"})
	var got []string
	for _, p := range found {
		got = append(got, p.String()+" | "+p.Last().Doc+" | "+p.Snippet()+" | "+p.Last().Place)
	}
	want := []string{
		"services.backup | Backups by borg. |  | backup.cue:5:2",
		"services.backup.target | Where to. | services: {backup: {target: /backup}} | backup.cue:10:2",
		"services.backup.hours | Every so many hours. | services: {backup: {hours: 24}} | backup.cue:13:2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c, err := Load(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	settings := c.Settings("a", found[1])
	if len(settings) != 1 || settings[0].Path != "services.backup.target" || settings[0].Value != `"/srv"` || settings[0].Place.String() != "stet.yaml:2:29" {
		t.Errorf("got %+v", settings)
	}
}

func TestValueOfAPath(t *testing.T) {
	c := load(t, FileName, "name: a\nfiles: {/etc/a.b: {text: x}, /etc/a.b.c: {text: y}}\npackages: [\"libc6:i386\"]\ntests: {t: [{run: x}, {run: z}]}\nsysctl: {net.ipv4.ip_forward: 1}\n")
	for path, want := range map[string]string{
		"name": `"a"`, "files./etc/a.b.text": `"x"`, "files./etc/a.b.c.text": `"y"`, `files."/etc/a.b".mode`: `"0644"`,
		"packages.libc6:i386.hold": "false", "tests.t[1].run": `"z"`, "tests.t.0.run": `"x"`, "sysctl.net.ipv4.ip_forward": "1",
	} {
		if got, place, err := c.Value("a", path); err != nil || string(got) != want || place.Line == 0 {
			t.Errorf("%s is %s at %v, %v; want %s", path, got, place, err, want)
		}
	}
	for path, near := range map[string]string{"nam": "name", "files./etc/a.b.txet": `files."/etc/a.b".text`, "sysctl.x": "", "": ""} {
		_, _, err := c.Value("a", path)
		if unknown := (*UnknownPathError)(nil); path != "" && (!errors.As(err, &unknown) || unknown.Near != near) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if diff := cmp.Diff([]string{`files."/etc/a.b"`, `files."/etc/a.b.c"`}, c.Paths("a", `files."/etc/a`)); diff != "" {
		t.Error(diff)
	}
}
