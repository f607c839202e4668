package solve

import (
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stet/internal/debian"
	"stet/test/apt"
)

// packagesFile is trixie's main for amd64 as the archive has it; `make` fetches
// it.
const packagesFile = "../../.cache/trixie/main-amd64"

// archive reads the index, and its stanzas as they are written there.
func archive(t testing.TB) ([]*debian.Package, map[Key]string) {
	t.Helper()
	text, err := os.ReadFile(packagesFile)
	if err != nil {
		t.Fatalf("%v: run make .cache/trixie/main-amd64", err)
	}
	pkgs, err := debian.ParsePackages(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(strings.TrimSpace(string(text)), "\n\n")
	if len(parts) != len(pkgs) {
		t.Fatalf("%d stanzas, %d packages", len(parts), len(pkgs))
	}
	stanzas := make(map[Key]string, len(pkgs))
	for i, p := range pkgs {
		stanzas[KeyOf(p)] = parts[i]
	}
	return pkgs, stanzas
}

// The named sets that are held against apt; the large ones take long.
var oracleSets = []struct {
	name       string
	names      string
	recommends bool
	long       bool
}{
	{"minimal", "systemd-sysv", false, false},
	{"server", "systemd-sysv openssh-server curl git vim-tiny nginx-light linux-image-cloud-amd64", false, false},
	{"server recommends", "systemd-sysv openssh-server curl git vim-tiny nginx-light linux-image-cloud-amd64", true, false},
	{"services", "systemd-sysv postgresql mariadb-server redis-server slapd bind9 docker.io postfix cups php-fpm apache2 default-jdk", false, false},
	{"development", "systemd-sysv build-essential emacs-nox golang rustc cargo python3-dev nodejs npm", true, true},
	{"gnome", "systemd-sysv task-gnome-desktop linux-image-amd64", true, true},
	{"kde", "systemd-sysv task-kde-desktop linux-image-amd64", true, true},
	{"desktops", "systemd-sysv task-gnome-desktop task-kde-desktop task-xfce-desktop texlive-full linux-image-amd64", true, true},
}

// baseNames are the names that Essential and the priorities of baseRequest mean.
func baseNames(pkgs []*debian.Package) []string {
	var names []string
	for _, p := range pkgs {
		if p.Essential || p.Priority == "required" || p.Priority == "important" {
			names = append(names, p.Name)
		}
	}
	slices.Sort(names)
	return names
}

func baseRequest(names []string, recommends bool) Request {
	return Request{
		Wants: wants(names...), Essential: true, Priorities: []string{"required", "important"},
		Architecture: "amd64", Recommends: recommends,
	}
}

// TestSolveLikeApt solves sets of real packages, named and drawn, and holds them
// against apt: what apt can install, Solve must install; each package that
// differs must do so under a documented rule; dpkg's rules must hold in our set,
// by the words of dose. STET_SEED draws the same sets again.
func TestSolveLikeApt(t *testing.T) {
	pkgs, stanzas := archive(t)
	seed, err := strconv.ParseUint(os.Getenv("STET_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	u := NewUniverse(Group{Catalogs: catalogs(pkgs)})
	oracle, err := apt.New(t.TempDir(), packagesFile)
	if err != nil {
		t.Fatal(err)
	}
	sets := randomSets(t)
	t.Logf("STET_SEED=%d, %d sets, %d packages in the index, %s", seed, sets, len(pkgs), oracle.Version())
	base := baseNames(pkgs)
	var sum tallies
	hold := func(t *testing.T, names []string, recommends bool) {
		req := baseRequest(names, recommends)
		s, err := Solve(u, req)
		theirs, complaint := oracle.Install(slices.Concat(base, names), recommends)
		if err != nil {
			if theirs != nil {
				t.Errorf("only apt installs %v (Recommends: %v): %v", names, recommends, err)
			}
			sum.neither++
			return
		}
		checkSolution(t, s, req)
		checkOrder(t, installed(s))
		if err := dose(t, stanzas, s); err != nil {
			t.Errorf("%v (Recommends: %v): %v", names, recommends, err)
		}
		if theirs == nil {
			sum.onlyOurs++
			t.Logf("only Solve installs %v (Recommends: %v); apt: %s", names, recommends, lastLines(complaint))
			return
		}
		c := compare(u, req, s, theirs)
		sum.add(c)
		if !c.same() {
			t.Logf("%v (Recommends: %v): %d packages, apt %d; differing: %s\n%s", names, recommends, len(s.Packages), len(theirs), tally(c.rules), strings.Join(c.told, "\n"))
		}
		for _, wrong := range c.wrong {
			t.Errorf("under no rule: %s", wrong)
		}
	}
	for _, set := range oracleSets {
		if set.long && !longRun {
			continue
		}
		t.Run(set.name, func(t *testing.T) { hold(t, strings.Fields(set.names), set.recommends) })
	}
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range sets {
		var names []string
		for range 1 + random.IntN(12) {
			names = append(names, pkgs[random.IntN(len(pkgs))].Name)
		}
		recommends := random.IntN(2) == 0
		t.Run(strconv.Itoa(i), func(t *testing.T) { hold(t, names, recommends) })
	}
	t.Log(sum.String())
}

// The order in which an archive lists its packages, and a person the wishes,
// changes nothing.
func TestAShuffledArchiveGivesTheSameSets(t *testing.T) {
	pkgs, _ := archive(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	shuffled := slices.Clone(pkgs)
	random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	a, b := NewUniverse(Group{Catalogs: catalogs(pkgs)}), NewUniverse(Group{Catalogs: catalogs(shuffled)})
	for _, set := range oracleSets {
		names := strings.Fields(set.names)
		one, err := Solve(a, baseRequest(names, set.recommends))
		if err != nil {
			t.Fatal(err)
		}
		random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		other, err := Solve(b, baseRequest(names, set.recommends))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(one, other) {
			t.Errorf("%s: the order of the input matters", set.name)
		}
	}
}

// lastLines is what apt says in the end.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " ")
}
