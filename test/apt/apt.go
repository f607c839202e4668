package apt

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Apt is apt with one index and nothing installed.
type Apt struct{ dir string }

// New makes apt's world in dir, which must be empty, and reads the index, an
// uncompressed Packages file of amd64.
func New(dir, packages string) (*Apt, error) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, errors.New("apt-get is not here: install the package apt")
	}
	packages, err := filepath.Abs(packages)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "etc/preferences.d", "repo"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Symlink(packages, filepath.Join(dir, "repo/Packages")); err != nil {
		return nil, err
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
			return nil, err
		}
	}
	a := &Apt{dir}
	if out, err := a.run("update"); err != nil {
		return nil, fmt.Errorf("apt-get update: %w\n%s", err, out)
	}
	return a, nil
}

func (a *Apt) run(args ...string) (string, error) {
	cmd := exec.Command("apt-get", args...)
	cmd.Env = []string{"APT_CONFIG=" + a.dir + "/apt.conf", "PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Install asks what apt would fetch to install names, and gives the versions by
// name, or nil and what apt says. It does not have apt simulate the installation:
// that finds an order, too, which takes four times as long.
func (a *Apt) Install(names []string, recommends bool) (set map[string]string, complaint string) {
	option := fmt.Sprintf("APT::Install-Recommends=%v", recommends)
	out, err := a.run(slices.Concat([]string{"install", "--print-uris", "-qq", "-o", option, "--"}, names)...)
	if err != nil {
		return nil, out
	}
	set = map[string]string{}
	for _, m := range fetched.FindAllStringSubmatch(out, -1) {
		set[m[1]] = strings.ReplaceAll(m[2], "%3a", ":")
	}
	return set, ""
}

// fetched is a line of what is fetched: "'URL' NAME_VERSION_ARCHITECTURE.deb …".
var fetched = regexp.MustCompile(`(?m)^'[^']*' ([^_ ]+)_([^_ ]+)_[^_ ]+\.deb `)

// Version is what apt calls itself.
func (a *Apt) Version() string {
	out, _ := a.run("--version")
	first, _, _ := strings.Cut(out, "\n")
	return first
}
