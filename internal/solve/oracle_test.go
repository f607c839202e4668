package solve

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"stet/internal/debian"
)

// packagesFile names an uncompressed Packages index of amd64 that the oracle
// test and the benchmarks use.
const packagesFile = "STET_PACKAGES"

func index(t testing.TB) []*debian.Package {
	t.Helper()
	path := os.Getenv(packagesFile)
	if path == "" {
		t.Skip("set " + packagesFile + " to an uncompressed Packages index of amd64")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pkgs, err := debian.ParsePackages(f)
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}

// The sets that are compared with apt.
var oracleSets = []struct {
	name       string
	names      string
	recommends bool
}{
	{"minimal", "systemd-sysv", false},
	{"server", "systemd-sysv openssh-server curl git vim-tiny nginx-light linux-image-cloud-amd64", false},
	{"server recommends", "systemd-sysv openssh-server curl git vim-tiny nginx-light linux-image-cloud-amd64", true},
	{"services", "systemd-sysv postgresql mariadb-server redis-server slapd bind9 docker.io postfix cups php-fpm apache2 default-jdk", false},
	{"development", "systemd-sysv build-essential emacs-nox golang rustc cargo python3-dev nodejs npm", true},
	{"gnome", "systemd-sysv task-gnome-desktop linux-image-amd64", true},
	{"kde", "systemd-sysv task-kde-desktop linux-image-amd64", true},
	{"desktops", "systemd-sysv task-gnome-desktop task-kde-desktop task-xfce-desktop texlive-full linux-image-amd64", true},
}

// apt is apt's own resolver over one index, under an empty dpkg status.
type apt struct{ dir string }

func newApt(t *testing.T) apt {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Fatal("the oracle is apt-get: install the package apt")
	}
	packages, err := filepath.Abs(os.Getenv(packagesFile))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc/preferences.d", "repo"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(packages, filepath.Join(dir, "repo/Packages")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"etc/sources.list": "deb [trusted=yes] copy:" + dir + "/repo ./\n",
		"state/status":     "",
		"apt.conf": fmt.Sprintf(`Dir %q;
Dir::State "state"; Dir::State::status %q; Dir::Cache "cache"; Dir::Etc "etc"; Dir::Etc::main ""; Dir::Etc::parts "";
APT::Architecture "amd64"; APT::Architectures { "amd64"; };
APT::Sandbox::User "root"; Acquire::Languages "none";
`, dir+"/", dir+"/state/status"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	a := apt{dir}
	if out, err := a.run("update"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return a
}

func (a apt) run(args ...string) (string, error) {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = []string{"APT_CONFIG=" + a.dir + "/apt.conf", "PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// solve gives the versions by name, or nil and what apt says.
func (a apt) solve(names []string, recommends bool) (set map[string]string, complaint string) {
	out, err := a.run(append([]string{"install", "-s", "-q", "-o", fmt.Sprintf("APT::Install-Recommends=%v", recommends), "--"}, names...)...)
	if err != nil {
		return nil, out
	}
	set = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) `).FindAllStringSubmatch(out, -1) {
		set[m[1]] = m[2]
	}
	return set, ""
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

// TestSolveLikeApt solves sets of real packages and lists where apt chooses
// otherwise. Both must find a solution; ours must be closed.
func TestSolveLikeApt(t *testing.T) {
	pkgs := index(t)
	u := NewUniverse(Group{Packages: pkgs})
	oracle := newApt(t)
	base := baseNames(pkgs)
	for _, set := range oracleSets {
		t.Run(set.name, func(t *testing.T) {
			names := strings.Fields(set.names)
			req := baseRequest(names, set.recommends)
			s, err := Solve(u, req)
			if err != nil {
				t.Fatal(err)
			}
			checkSolution(t, s, req)
			checkOrder(t, installed(s))
			apt, complaint := oracle.solve(slices.Concat(base, names), set.recommends)
			if apt == nil {
				t.Fatal(complaint)
			}
			var differing []string
			ours := map[string]bool{}
			for _, c := range s.Packages {
				ours[c.Name] = true
				if v, there := apt[c.Name]; !there {
					differing = append(differing, "only ours: "+s.Chain(KeyOf(&c.Package)).String())
				} else if v != c.Version {
					differing = append(differing, fmt.Sprintf("%s: ours %s, apt's %s", c.Name, c.Version, v))
				}
			}
			for _, name := range sortedKeys(apt) {
				if !ours[name] {
					differing = append(differing, "only apt's: "+name+": "+ruling(u, s, req, name))
				}
			}
			t.Logf("%d packages, apt %d, %d differing\n%s", len(s.Packages), len(apt), len(differing), strings.Join(differing, "\n"))
			if most := 2 + len(apt)/50; len(differing) > most {
				t.Errorf("%d differ, at most %d (2 %%) can be a matter of taste", len(differing), most)
			}
		})
	}
}

// ruling says for a package that only apt chose where it could have come in, and
// what our solution has there.
func ruling(u *Universe, s *Solution, req Request, name string) string {
	v := view{u, req.Architecture}
	for i := range s.Packages {
		p := &s.Packages[i].Package
		relations := slices.Concat(p.PreDepends, p.Depends)
		if req.Recommends {
			relations = append(relations, p.Recommends...)
		}
		for _, alternatives := range relations {
			ids := v.choices(alternatives, v.native, nil)
			if !slices.ContainsFunc(ids, func(q id) bool { return u.packages[q].Name == name }) {
				continue
			}
			for _, q := range ids {
				c := s.Find(KeyOf(u.packages[q].Package))
				if c == nil || c.Version != u.packages[q].Version {
					continue
				}
				where := fmt.Sprintf("%s has %q, which we meet by %s", p.Name, alternatives, c.Name)
				if chain := neededBy(v, s, c, alternatives, req.Recommends); chain != "" {
					return where + ", needed anyway: " + chain
				}
				return where + ", the first by alternative, Priority and name"
			}
			return fmt.Sprintf("%s has %q, which we do not meet", p.Name, alternatives)
		}
	}
	return "needed by the above"
}

// neededBy finds a member that needs c by another relation, or none.
func neededBy(v view, s *Solution, c *Chosen, except debian.Alternatives, recommends bool) string {
	if c.Reason.Kind <= Priority {
		return s.Chain(KeyOf(&c.Package)).String()
	}
	for i := range s.Packages {
		p := &s.Packages[i].Package
		relations := slices.Concat(p.PreDepends, p.Depends)
		if recommends {
			relations = append(relations, p.Recommends...)
		}
		for _, alternatives := range relations {
			if ids := v.choices(alternatives, v.native, nil); len(ids) > 0 && v.packages[ids[0]].Name == c.Name && !reflect.DeepEqual(alternatives, except) {
				return fmt.Sprintf("%s has %q", p.Name, alternatives)
			}
		}
	}
	return ""
}

// TestSolveWhateverAptSolves draws sets of names from the whole index: what apt
// can install, Solve must install. STET_SETS says how many, STET_SEED which.
func TestSolveWhateverAptSolves(t *testing.T) {
	pkgs := index(t)
	number := func(name string, otherwise uint64) uint64 {
		n, err := strconv.ParseUint(os.Getenv(name), 10, 64)
		if err != nil {
			return otherwise
		}
		return n
	}
	seed, sets := number("STET_SEED", rand.Uint64()), number("STET_SETS", 20)
	t.Logf("STET_SEED=%d STET_SETS=%d", seed, sets)
	random := rand.New(rand.NewPCG(seed, 0))
	u := NewUniverse(Group{Packages: pkgs})
	oracle := newApt(t)
	base := baseNames(pkgs)
	both, neither, onlyOurs, same, differing, total := 0, 0, 0, 0, 0, 0
	for range sets {
		var names []string
		for range 1 + random.IntN(12) {
			names = append(names, pkgs[random.IntN(len(pkgs))].Name)
		}
		recommends := random.IntN(2) == 0
		req := baseRequest(names, recommends)
		s, err := Solve(u, req)
		apt, _ := oracle.solve(slices.Concat(base, names), recommends)
		switch {
		case err == nil && apt != nil:
			both++
			checkSolution(t, s, req)
			checkOrder(t, installed(s))
			n := 0
			for _, c := range s.Packages {
				if apt[c.Name] != c.Version {
					n++
				}
				delete(apt, c.Name)
			}
			n += len(apt)
			if n == 0 {
				same++
			}
			differing += n
			total += len(s.Packages)
		case err == nil:
			onlyOurs++
			checkSolution(t, s, req)
			t.Logf("only Solve installs %v (Recommends: %v)", names, recommends)
		case apt == nil:
			neither++
			t.Logf("%v: %v", names, err)
		default:
			t.Errorf("only apt installs %v (Recommends: %v): %v", names, recommends, err)
		}
	}
	t.Logf("both install %d (%d of them alike; %d of %d packages differ), neither %d, only Solve %d", both, same, differing, total, neither, onlyOurs)
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func BenchmarkUniverse(b *testing.B) {
	pkgs := index(b)
	for b.Loop() {
		NewUniverse(Group{Packages: pkgs})
	}
}

func BenchmarkSolve(b *testing.B) {
	u := NewUniverse(Group{Packages: index(b)})
	for _, set := range oracleSets {
		b.Run(strings.ReplaceAll(set.name, " ", "-"), func(b *testing.B) {
			req := baseRequest(strings.Fields(set.names), set.recommends)
			n := 0
			for b.Loop() {
				s, err := Solve(u, req)
				if err != nil {
					b.Fatal(err)
				}
				n = len(s.Packages)
			}
			b.ReportMetric(float64(n), "packages")
		})
	}
}

func BenchmarkConfigureOrder(b *testing.B) {
	set := oracleSets[len(oracleSets)-1]
	s, err := Solve(NewUniverse(Group{Packages: index(b)}), baseRequest(strings.Fields(set.names), true))
	if err != nil {
		b.Fatal(err)
	}
	pkgs := installed(s)
	for b.Loop() {
		ConfigureOrder(pkgs)
	}
}

// BenchmarkExplain is the slowest answer: two wishes among the base and both
// desktops that cannot be had together.
func BenchmarkExplain(b *testing.B) {
	u := NewUniverse(Group{Packages: index(b)})
	req := baseRequest(append(strings.Fields(oracleSets[len(oracleSets)-1].names), "exim4", "postfix"), true)
	for b.Loop() {
		if _, err := Solve(u, req); err == nil {
			b.Fatal("solved")
		}
	}
}
