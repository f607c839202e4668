//go:build long

package twice_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/build"
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
	begin := func() *growing {
		p := program.Example(t, "minimal")
		text, err := os.ReadFile(filepath.Join(p.Dir, "stet.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		g := &growing{Program: p, text: string(text)}
		for !g.wish(t, draw(8)) {
		}
		return g
	}
	trace := filepath.Join(t.TempDir(), "trace")
	compared, alone := 0, 0
	for range chance.Rounds(t, 20) {
		for g, added := begin(), 0; added < perRound; {
			more := draw(1)
			if slices.Contains(g.wished, more[0]) || !g.wish(t, more, "--trace", trace) {
				continue
			}
			n := seed(t)
			g.Build(t)
			differences := buildTwice(t, g.Program, n).Differences
			if len(differences) > 0 {
				anyway := g.differences(t, n)
				for _, d := range differences {
					if !slices.ContainsFunc(anyway, func(other build.Difference) bool { return other.Path == d.Path }) {
						t.Error(d)
					}
				}
				if t.Failed() {
					t.Fatalf("%v", g.wished)
				}
				t.Logf("%v is another machine each time: %v", g.wished, differences)
				g = begin()
				continue
			}
			added++
			compared++
			if why, again := isConfiguredAgain(t, trace, g.wished[0]); again {
				t.Logf("%v: %s", g.wished, why)
			} else {
				alone++
			}
		}
	}
	t.Logf("%d packages were added, %d of them configured by themselves", compared, alone)
	if alone == 0 {
		t.Error("none was")
	}
}

// growing is a machine that gets more and more packages.
type growing struct {
	program.Program
	text   string // of its configuration, without packages
	wished []string
}

// wish asks for more packages, if they can be had together with the others, and locks
// them.
func (g *growing) wish(t *testing.T, more []string, args ...string) bool {
	wished := append(slices.Clone(g.wished), more...)
	text := g.text + "\npackages: [" + strings.Join(wished, ", ") + "]\n"
	if err := os.WriteFile(filepath.Join(g.Dir, "stet.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if !isSmall(t, g.Program) {
		return false
	}
	if r := g.Run(t, append([]string{"lock"}, args...)...); r.Code != 0 {
		t.Logf("%v cannot be had: %s", more, r.Stderr)
		return false
	}
	if r := g.Run(t, "build"); strings.Contains(r.Stderr, "a machine has no top-level directory") {
		t.Logf("%v is of no use: %s", more, r.Stderr)
		return false
	}
	g.wished = wished
	return true
}

// differences gives those of a machine whose scripts all run both times: in a store that
// has never seen it, by another lock.
func (g *growing) differences(t *testing.T, seed uint64) []build.Difference {
	p := g.With("STET_STORE=" + t.TempDir())
	if err := os.Remove(filepath.Join(p.Dir, "stet.lock")); err != nil {
		t.Fatal(err)
	}
	p.Must(t, "lock")
	return buildTwice(t, p, seed).Differences
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
