package resolve_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/internal/mirror/mirrortest"
	"stet/test/loopback"
)

func TestMain(m *testing.M) {
	loopback.Main()
	os.Exit(m.Run())
}

// dryRun is what `stet lock --dry-run --json` prints, as far as it matters here.
type dryRun struct {
	Machines []struct {
		Name     string
		Packages []struct {
			Name, Version, Architecture, Reason string
			Via                                 []string
		}
	}
}

func TestSwitchesAndReasons(t *testing.T) {
	w := loopback.New(t,
		mirrortest.Deb{Name: "top", Fields: map[string]string{"Depends": "middle (>= 1.0) | other", "Recommends": "extra, unwanted"}},
		mirrortest.Deb{Name: "middle", Fields: map[string]string{"Depends": "shared", "Recommends": "far"}},
		mirrortest.Deb{Name: "extra"}, mirrortest.Deb{Name: "unwanted"}, mirrortest.Deb{Name: "far"},
		mirrortest.Deb{Name: "shared", Fields: map[string]string{"Multi-Arch": "same"}},
		mirrortest.Deb{Name: "shared", Architecture: "i386", Fields: map[string]string{"Multi-Arch": "same"}},
		mirrortest.Deb{Name: "game", Architecture: "i386", Fields: map[string]string{"Depends": "shared"}},
	)
	w.Archive.Architectures = []string{"amd64", "i386"}
	w.Serve(t)
	before := w.Lock(t)
	name := filepath.Join(w.Stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	declare := func(t *testing.T, more string) {
		if err := os.WriteFile(name, []byte(string(text)+"\n"+more), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, more string
		want       []string // "name reason ← way", of the packages made here
	}{
		{"no Recommends", "packages: [top]\n", []string{
			"middle Depends of top: middle (>= 1.0) | other ← top",
			"shared Depends of middle: shared ← top middle",
			"top wanted by packages ←",
		}},
		{"Recommends of one package", "packages: {top: {recommends: true}}\nexclude: [unwanted]\n", []string{
			"extra Recommends of top: extra ← top",
			"middle Depends of top: middle (>= 1.0) | other ← top",
			"shared Depends of middle: shared ← top middle",
			"top wanted by packages ←",
		}},
		{"a foreign architecture", "packages: ['game:i386']\n", []string{
			"game:i386 wanted by packages ←",
			"shared:i386 Depends of game:i386: shared ← game:i386",
		}},
		{"a foreign architecture that nothing is wanted of", "debian: {foreign_architectures: [i386]}\npackages: [shared]\n", []string{
			"shared wanted by packages ←",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			declare(t, c.more)
			var out dryRun
			r := w.Stet.Must(t, "lock", "--dry-run", "--json")
			if err := json.Unmarshal([]byte(r.Stdout), &out); err != nil {
				t.Fatalf("%v\n%s", err, r.Stdout)
			}
			if len(out.Machines) != 1 || out.Machines[0].Name != "minimal" {
				t.Fatalf("machines are %+v", out.Machines)
			}
			var got []string
			for _, p := range out.Machines[0].Packages {
				if p.Name == "" || p.Version == "" || p.Architecture == "" || p.Reason == "" {
					t.Errorf("incomplete: %+v", p)
				}
				if !slices.Contains([]string{"top", "middle", "extra", "unwanted", "far", "shared", "game"}, p.Name) {
					continue
				}
				title := p.Name
				if p.Architecture == "i386" {
					title += ":i386"
				}
				got = append(got, strings.TrimSpace(title+" "+p.Reason+" ← "+strings.Join(p.Via, " ")))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			explained := w.Stet.Must(t, "lock", "--dry-run", "--explain").Stdout
			for _, line := range c.want {
				words, way, _ := strings.Cut(line, " ←")
				name, reason, _ := strings.Cut(words, " ")
				way = strings.ReplaceAll(strings.TrimSpace(way), " ", " → ")
				if !slices.ContainsFunc(strings.Split(explained, "\n"), func(told string) bool {
					return strings.HasPrefix(told, "  "+name+" ") && strings.Contains(told, reason) && strings.HasSuffix(told, way)
				}) {
					t.Errorf("--explain does not say %q:\n%s", line, explained)
				}
			}
			if w.Lock(t) != before {
				t.Error("a dry run changed stet.lock")
			}
		})
	}

	t.Run("an excluded package that is needed", func(t *testing.T) {
		declare(t, "packages: [top]\nexclude: [shared]\n")
		r := w.Stet.Run(t, "lock")
		want := "packages wants top (1.0); top (1.0) depends on middle (>= 1.0) | other (here middle (1.0)); middle (1.0) depends on shared; shared is excluded by exclude"
		if r.Code != 2 || !strings.Contains(r.Stderr, want) {
			t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
		}
		if w.Lock(t) != before {
			t.Error("stet.lock was changed")
		}
	})
	t.Run("an architecture that the archive has not", func(t *testing.T) {
		declare(t, "packages: ['game:armhf']\n")
		if r := w.Stet.Run(t, "lock", "--dry-run"); r.Code == 0 || !strings.Contains(r.Stderr, "no archive has packages for armhf") {
			t.Errorf("exit code %d\n%s", r.Code, r.Stderr)
		}
	})
}
