//go:build long

package twice_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/debian"
	"stet/test/chance"
	"stet/test/program"
)

// indexFile is Debian's whole index of packages, which `make test-long` fetches.
const indexFile = "../../.cache/trixie/main-amd64"

// perRound is how many packages are added in a round, one after the other.
const perRound = 5

// telling are the sections of packages that most often have scripts.
var telling = []string{"admin", "net", "web", "httpd", "database", "mail", "fonts", "text", "utils", "sound", "python", "perl", "x11"}

// One package more is configured by itself, where no script could have noticed it. The
// build after it runs the scripts of all, in another order: each byte must be the same.
func TestAPackageMoreIsAsWithAll(t *testing.T) {
	dice := chance.Dice(t)
	names := drawable(t)
	draw := func(n int) (drawn []string) {
		for range n {
			drawn = append(drawn, names[dice.IntN(len(names))])
		}
		return drawn
	}
	alone, compared := 0, 0
	for range chance.Rounds(t, 20) {
		p := program.Example(t, "minimal")
		name := filepath.Join(p.Dir, "stet.yaml")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var wished []string
		// wish asks for more packages, if they can be had together with the others.
		wish := func(more []string, args ...string) bool {
			line := "\npackages: [" + strings.Join(append(slices.Clone(wished), more...), ", ") + "]\n"
			if err := os.WriteFile(name, append(slices.Clone(text), line...), 0o644); err != nil {
				t.Fatal(err)
			}
			if !isSmall(t, p) {
				return false
			}
			if r := p.Run(t, append([]string{"lock"}, args...)...); r.Code != 0 {
				t.Logf("%v cannot be had: %s", more, r.Stderr)
				return false
			}
			if r := p.Run(t, "build"); strings.Contains(r.Stderr, "a machine has no top-level directory") {
				t.Logf("%v is of no use: %s", more, r.Stderr)
				return false
			}
			wished = append(wished, more...)
			return true
		}
		for !wish(draw(8)) {
		}
		trace := filepath.Join(t.TempDir(), "trace")
		for range perRound {
			more := draw(1)
			if slices.Contains(wished, more[0]) || !wish(more, "--trace", trace) {
				continue
			}
			compared++
			if why, again := isConfiguredAgain(t, trace, wished[0]); again {
				t.Logf("%v: %s", wished, why)
			} else {
				alone++
			}
			isTheSameTwice(t, p)
			if t.Failed() {
				t.Fatalf("%v", wished)
			}
		}
	}
	t.Logf("%d packages were added, %d of them configured by themselves", compared, alone)
	if alone == 0 {
		t.Error("none was")
	}
}

// drawable are the names of small packages, those that often have scripts twice.
func drawable(t *testing.T) (names []string) {
	file, err := os.Open(indexFile)
	if err != nil {
		t.Fatalf("%v: run make %s", err, strings.TrimPrefix(indexFile, "../../"))
	}
	defer file.Close()
	packages, err := debian.ParsePackages(file)
	if err != nil {
		t.Fatal(err)
	}
	const most = 8 << 10 // KiB
	for _, p := range packages {
		switch {
		case p.InstalledSize > most || p.Essential || p.Priority == "required":
		case strings.HasPrefix(p.Name, "libghc-") || p.Section == "haskell":
			// GHC's list of packages has the order of a directory, however it is configured.
		case slices.Contains(telling, p.Section):
			for range 8 {
				names = append(names, p.Name)
			}
		default:
			names = append(names, p.Name)
		}
	}
	return names
}

// isSmall reports whether what is wished can be had, and is little enough for many
// rounds.
func isSmall(t *testing.T, p program.Program) bool {
	r := p.Run(t, "lock", "--dry-run", "--json")
	var report struct{ Packages int }
	if r.Code != 0 {
		return false
	}
	if err := json.Unmarshal([]byte(r.Stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, r.Stdout)
	}
	return report.Packages < 300
}

// isConfiguredAgain reads in a trace whether scripts of a package ran that was there
// before, and why.
func isConfiguredAgain(t *testing.T, file, name string) (why string, again bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var trace struct {
		TraceEvents []struct {
			Name string
			Args struct{ Note string }
		}
	}
	if err := json.Unmarshal(text, &trace); err != nil {
		t.Fatal(err)
	}
	for _, e := range trace.TraceEvents {
		if e.Name == "configure" {
			why = e.Args.Note
		}
		again = again || e.Name == "configure "+name
	}
	return why, again
}
