package guide_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stet/internal/source"
	"stet/test/example"
)

// pages are those that are followed from their beginning to their end.
var pages = []string{"README.md", "CONTRIBUTING.md", "docs/README.md", "docs/tutorial.md", "docs/guide/*.md"}

// apart are pages whose sections have nothing to do with each other. A
// configuration that one of them shows has to be right.
var apart = []string{"docs/idioms.md", "docs/compare.md", "docs/coming-from/*.md"}

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
	"stet test --fresh":                                   {"test/machine/trial_long_test.go", `"--fresh"`},
	"stet test web1 time1":                                {"test/fleet/trial_long_test.go", `"web1", "time1"`},
	"stet test --all":                                     {"test/fleet/trial_long_test.go", `"--all"`},
	"stet build --twice":                                  {"test/twice/examples_test.go", `"build", "--twice"`},
	"stet shell":                                          {"test/guide/guide_test.go", "stet shell -- cat"},
}

// TestEveryCommandShownWorks does what the pages show, as somebody would who
// follows them in an empty directory.
func TestEveryCommandShownWorks(t *testing.T) {
	used := map[string]bool{}
	here := func(steps []step) []step {
		return slices.DeleteFunc(steps, func(s step) bool {
			_, ok := elsewhere[s.command]
			used[s.command] = true
			return ok
		})
	}
	for _, name := range all(t, pages) {
		steps := here(whole(page(t, name)))
		t.Run(name, func(t *testing.T) { follow(t, steps) })
	}
	for _, name := range all(t, apart) {
		for _, s := range sections(page(t, name)) {
			steps := here(s.steps)
			if configured(steps) {
				steps = append(steps, step{command: "stet check"})
			}
			if len(steps) > 0 {
				t.Run(name+"/"+s.title, func(t *testing.T) { follow(t, steps) })
			}
		}
	}
	for command, where := range elsewhere {
		if !used[command] {
			t.Errorf("no page shows %q any more: take it out of the table", command)
		}
		if !strings.Contains(page(t, where.file), where.as) {
			t.Errorf("%s does not run %q any more", where.file, command)
		}
	}
}

// all gives the names of the pages of some patterns.
func all(t *testing.T, patterns []string) (names []string) {
	t.Helper()
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: no such page: %v", pattern, err)
		}
		for _, path := range paths {
			name, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, name)
		}
	}
	return names
}

// page gives the text of a file of this repository.
func page(t *testing.T, name string) string {
	t.Helper()
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// follow does steps in an empty directory, with stet in its path, and holds what
// is printed against what is shown.
func follow(t *testing.T, steps []step) {
	t.Helper()
	stet, err := example.Stet()
	if err != nil {
		t.Fatal(err)
	}
	store, err := example.Store()
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	if err := os.Symlink(stet, filepath.Join(programs, "stet")); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	command := exec.CommandContext(t.Context(), "bash", "-c", script(steps))
	command.Dir = t.TempDir()
	command.Stdout, command.Stderr = &stdout, &stderr
	command.Env = append(source.OfNoRepository(os.Environ()), store, "PATH="+programs+":"+os.Getenv("PATH"),
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org")
	err = command.Run()
	is := printed(stdout.String())
	last := ""
	for i, s := range steps {
		out, ran := is[i]
		if ran {
			last = s.command
		}
		if ran && s.prints != "" && !matches(s.prints, out) {
			t.Errorf("$ %s\nprints\n%s\nand the page shows\n%s", s.command, out, s.prints)
		}
	}
	if err != nil {
		t.Errorf("$ %s\n%v\n%s", last, err, stderr.String())
	}
}

func TestTheReadmesMachineIsRight(t *testing.T) {
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(page(t, "README.md"))
	if shown == nil {
		t.Fatal("the README shows no machine")
	}
	follow(t, []step{{file: "stet.yaml", text: shown[1]}, {command: "stet check"}})
}
