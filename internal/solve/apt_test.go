package solve

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// apt is apt's own resolver over one index, under an empty dpkg status: it sees
// nothing of the host's.
type apt struct{ dir string }

func newApt(t testing.TB) apt {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Fatal("the oracle is apt-get: install the package apt")
	}
	packages, err := filepath.Abs(packagesFile)
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

// install simulates an installation and gives the versions by name, or nil and
// what apt says.
func (a apt) install(names []string, recommends bool) (set map[string]string, complaint string) {
	option := fmt.Sprintf("APT::Install-Recommends=%v", recommends)
	out, err := a.run(slices.Concat([]string{"install", "-s", "-q", "-o", option, "--"}, names)...)
	if err != nil {
		return nil, out
	}
	set = map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) `).FindAllStringSubmatch(out, -1) {
		set[m[1]] = m[2]
	}
	return set, ""
}

// version is apt's own, for the record.
func (a apt) version() string {
	out, _ := a.run("--version")
	first, _, _ := strings.Cut(out, "\n")
	return first
}
