//go:build long

package generations_test

import (
	"encoding/json"
	"strings"
	"testing"

	"stet/test/program"
)

// TestCommitsAreCompared asks what changed between two commits of a repository:
// both are built from what they say themselves.
func TestCommitsAreCompared(t *testing.T) {
	stet := program.Example(t, "minimal")
	git := func(args ...string) { program.Git(t, stet.Dir, args...) }
	git("init", "-q", "-b", "main")
	for _, motd := range []string{"The first.", "The second."} {
		declare(t, stet, motd, "console=ttyS0")
		git("add", ".")
		git("commit", "-q", "-m", motd)
	}
	declare(t, stet, "Not written down.", "console=ttyS0")

	var report struct {
		Packages, Units, Users []any
		Files                  []struct{ Path, Diff string }
	}
	must(t, json.Unmarshal([]byte(stet.Must(t, "diff", "--json", "HEAD~1", "HEAD").Stdout), &report))
	if len(report.Packages)+len(report.Units)+len(report.Users) != 0 || len(report.Files) != 1 || report.Files[0].Path != "/etc/motd" {
		t.Fatalf("%+v", report)
	}
	said := stet.Must(t, "diff", "HEAD~1", "HEAD").Stdout
	for _, want := range []string{"-The first.\n", "+The second.\n"} {
		if !strings.Contains(report.Files[0].Diff, want) || !strings.Contains(said, want) {
			t.Errorf("%q is missing in\n%s\n%s", want, report.Files[0].Diff, said)
		}
	}
}
