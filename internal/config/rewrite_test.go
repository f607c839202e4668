package config

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestRewriteKeepsTheMachine rewrites every example and what the tests of this
// package have.
func TestRewriteKeepsTheMachine(t *testing.T) {
	names, err := filepath.Glob("../../examples/*/stet.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, machine, err := Rewrite(context.Background(), filepath.Dir(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		yaml, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		keepsComments(t, string(yaml), string(text))
		if machine != filepath.Base(filepath.Dir(name)) {
			t.Errorf("%s is machine %s", name, machine)
		}
	}
}

func TestRewriteReadsWell(t *testing.T) {
	dir := repository(t, FileName, `# A machine.

name: web-1 # its name
debian: {suites: [trixie-backports]}

# What people use.
packages:
# for work
- git/trixie-backports
- curl   # "quoted" #1
- htop: {hold: true}
units:
  hello.service:
    # It says hello.
    text: |
      [Service]
      # no comment
      ExecStart=/usr/bin/echo '#'
sysctl: {"a.b": 'it''s # no comment', c.d: 0x10, e.f: -1}
tests:
  t:
  - run: echo "#" # here
  # after a reboot
  - reboot: true
# The end.
`)
	text, _, err := Rewrite(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	want := `package stet

// A machine.
// its name
// The end.
machines: "web-1": {
	debian: suites: "trixie-backports": {}

	// What people use.
	packages: {
		// for work
		git: suite: "trixie-backports"
		// "quoted" #1
		curl: {}
		htop: hold: true
	}

	// It says hello.
	units: "hello.service": text: """
		[Service]
		# no comment
		ExecStart=/usr/bin/echo '#'

		"""
	sysctl: {
		"a.b": "it's # no comment"
		"c.d": 0x10
		"e.f": -1
	}
	tests: t: [
		// here
		{
			run: "echo \"#\""
		},
		// after a reboot
		{
			reboot: true
		}]
}
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s\n%s", diff, text)
	}
}

// keepsComments holds that every comment of a YAML text is in the CUE text.
func keepsComments(t interface{ Errorf(string, ...any) }, yaml, cue string) {
	for _, n := range commentsOf([]byte(yaml)) {
		if !strings.Contains(cue, n.comment()) {
			t.Errorf("the comment %q is lost in\n%s\nfrom\n%s", n.text, cue, yaml)
		}
	}
}

// TestRewrittenMachinesAreEqual makes configurations of every shape that YAML
// has, with comments everywhere.
func TestRewrittenMachinesAreEqual(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := flag.Set("rapid.checks", "20"); err != nil { // each evaluates four times
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		serial := 0
		comments := 0
		comment := func(indent string) string {
			if rapid.IntRange(0, 3).Draw(t, "comment") > 0 {
				return ""
			}
			comments++
			return fmt.Sprintf("%s# comment %d 'x' \"y\n", indent, comments)
		}
		behind := func() string {
			if rapid.IntRange(0, 3).Draw(t, "behind") > 0 {
				return "\n"
			}
			comments++
			return fmt.Sprintf(" # comment %d's\n", comments)
		}
		texts := []string{"plain", "a b", "it's", `say "hi"`, "# no comment", "x # no comment", "a: b", "", "0644", "true", "ü…", `back\slash`, `\(x)`, "tab\there", "{a}", "[b]", "*c", "&d", "!e", "%f", "@g", "- h", "trailing "}
		scalar := func(indent string) string {
			text := rapid.SampledFrom(texts).Draw(t, "text")
			switch rapid.IntRange(0, 3).Draw(t, "style") {
			case 0:
				return "'" + strings.ReplaceAll(text, "'", "''") + "'" + behind()
			case 1:
				return fmt.Sprintf("%q", text) + behind()
			case 2:
				block := rapid.SampledFrom([]string{"|", "|-", ">", "|+", ">-"}).Draw(t, "block")
				return fmt.Sprintf("%s\n%s  line one # of text\n%s    deeper \"\n\n%s  # the last\n", block, indent, indent, indent)
			default:
				return "plain" + behind()
			}
		}
		name := func(prefix string) string { serial++; return fmt.Sprintf("%s%d", prefix, serial) }
		var b strings.Builder
		b.WriteString(comment("") + "name: m" + behind())
		if rapid.Bool().Draw(t, "packages") {
			b.WriteString(comment("") + "packages:" + behind())
			for range rapid.IntRange(1, 3).Draw(t, "n") {
				b.WriteString(comment("  ") + "- " + rapid.SampledFrom([]string{name("p"), "'" + name("q") + "=1.0'", name("r") + "/trixie", name("s") + ": {hold: true}"}).Draw(t, "wish") + behind())
			}
		}
		if rapid.Bool().Draw(t, "files") {
			b.WriteString(comment("") + "files:" + behind())
			for range rapid.IntRange(1, 3).Draw(t, "n") {
				b.WriteString(comment("  ") + "  /etc/" + name("f") + ":" + behind() + comment("    ") + "    text: " + scalar("    "))
			}
		}
		if rapid.Bool().Draw(t, "users") {
			fmt.Fprintf(&b, "%susers: {%s: {groups: [sudo, adm], description: 'a # b'}, %s: {}}%s", comment(""), name("u"), name("u"), behind())
		}
		if rapid.Bool().Draw(t, "sysctl") {
			b.WriteString(comment("") + "sysctl:" + behind())
			for range rapid.IntRange(1, 3).Draw(t, "n") {
				b.WriteString("  " + name("a.b") + ": " + rapid.SampledFrom([]string{"1", "-1", "0x1F", "true", "'4 5'", "1_000", "9007199254740993"}).Draw(t, "value") + behind())
			}
		}
		if rapid.Bool().Draw(t, "tests") {
			b.WriteString(comment("") + "tests:" + behind() + "  a test:" + behind())
			b.WriteString(comment("  ") + "  - {wait_for: {port: 80}}" + behind() + "  - run: 'echo #'" + behind() + comment("    ") + "    expect: \"#\"" + behind() + "  - reboot: true\n")
		}
		b.WriteString(comment(""))
		yaml := b.String()
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(yaml), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(context.Background(), dir); err != nil {
			t.Fatalf("%v\nof\n%s", err, yaml)
		}
		text, _, err := Rewrite(context.Background(), dir) // which compares the machines
		if err != nil {
			t.Fatalf("%v\nof\n%s", err, yaml)
		}
		if got := len(commentsOf([]byte(yaml))); got != comments {
			t.Errorf("%d comments of %d were found in\n%s", got, comments, yaml)
		}
		keepsComments(t, yaml, string(text))
	})
}
