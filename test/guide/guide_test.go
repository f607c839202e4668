package guide_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stet/test/example"
)

// pages are all pages that show commands.
var pages = []string{"README.md", "CONTRIBUTING.md", "docs/guide/*.md"}

// elsewhere are commands that are too long for here, with the file that runs
// them, and how it spells them there.
var elsewhere = map[string]struct{ file, as string }{
	"make demo":      {".ci/run", "make demo"},
	"make test":      {".ci/run", "make test"},
	"make lint":      {".ci/run", "make lint"},
	"make install":   {".ci/run", "make install DESTDIR="},
	".ci/run":        {".ci/run", "=== passed"},
	"make test-long": {"Makefile", "\ntest-long:"},
	"make bench":     {"Makefile", "\nbench:"},
	"make relock":    {"Makefile", "\nrelock:"},
	"make pages":     {"Makefile", "\npages:"},
	"stet vm":        {"test/machine/machine_test.go", "guest.Start"},
	"stet vm --exec 'systemctl is-system-running --wait'": {"test/demo/main.go", "systemctl is-system-running --wait"},
	"stet vm --forward 8080:80":                           {"test/demo/main.go", `"vm", "--forward"`},
	"stet test":                                           {"test/boot/boot_test.go", `"test")`},
	"stet build --twice":                                  {"test/twice/examples_test.go", `"build", "--twice"`},
	"stet shell":                                          {"test/guide/guide_test.go", "stet shell -- cat"},
}

var (
	block   = regexp.MustCompile("(?s)```(console|sh)\n(.*?)```")
	comment = regexp.MustCompile(`\s+#\s.*$`)
)

// commands lists the commands that a page shows, in order.
func commands(text string) []string {
	var all []string
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(found[2]) {
			command, shown := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if shown {
				all = append(all, comment.ReplaceAllString(command, ""))
			}
		}
	}
	return all
}

// TestEveryCommandShownWorks runs what the pages show, page by page, as
// somebody would who follows them in an empty directory.
func TestEveryCommandShownWorks(t *testing.T) {
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	stet, err := example.Stet()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, pattern := range pages {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no such page: %v", pattern, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			script := []string{"set -euo pipefail", "umask 022"}
			for _, command := range commands(string(text)) {
				if _, ok := elsewhere[command]; ok {
					used[command] = true
					continue
				}
				script = append(script, "echo "+quoted("$ "+command), command)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) { run(t, stet, strings.Join(script, "\n")) })
		}
	}
	for command, where := range elsewhere {
		if !used[command] {
			t.Errorf("no page shows %q any more: take it out of the table", command)
		}
		text, err := os.ReadFile(filepath.Join(root, where.file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), where.as) {
			t.Errorf("%s does not run %q any more", where.file, command)
		}
	}
}

// run runs a script in an empty directory, with stet in its path.
func run(t *testing.T, stet, script string) {
	t.Helper()
	programs := t.TempDir()
	if err := os.Symlink(stet, filepath.Join(programs, "stet")); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bash", "-c", script)
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"),
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func TestCommandsAreFound(t *testing.T) {
	got := commands("text\n```console\n$ one   # why\noutput\n$ two\n```\n```yaml\n$ no\n```\n```sh\n$ three\n```\n")
	if want := []string{"one", "two", "three"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheReadmesMachineIsRight(t *testing.T) {
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	stet, err := example.Stet()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if shown == nil {
		t.Fatal("the README shows no machine")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "stet.yaml"), shown[1], 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), stet, "-C", dir, "check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
