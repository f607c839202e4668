package build

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

// apt decides which archive a package comes from. What Stet has as standings
// is in apt's preferences what a careful person writes there: further suites
// stand below the machine's own.
func TestAptTakesTheSameVersions(t *testing.T) {
	a := newArchives()
	a.example.NotAutomatic = true
	w := a.serve(t)
	dir := t.TempDir()
	for _, sub := range []string{"lists/partial", "cache/archives/partial", "etc/parts", "etc/prefs", "etc/apt.conf.d", "etc/trusted.gpg.d"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	write("status", "")
	write("etc/prefs/further", "Package: *\nPin: release n=sid\nPin-Priority: 100\n")
	// apt has no clock but the host's: nothing here is of its time.
	line := func(key, url, suite string) string {
		return fmt.Sprintf("deb [signed-by=%s check-date=no] %s %s main\n", key, url, suite)
	}
	own, example := write("own.gpg", string(a.trixie.Key.Public())), write("example.gpg", string(a.example.Key.Public()))
	sources := line(example, w.server.Beside("example"), "stable") + line(own, w.server.Beside("debian-security"), "trixie-security")
	for _, suite := range []string{"trixie", "trixie-updates", "trixie-backports", "sid"} {
		sources += line(own, w.server.URL, suite)
	}
	config := write("apt.conf", fmt.Sprintf(`Dir "%[1]s";
Dir::State "%[1]s"; Dir::State::Lists "%[1]s/lists"; Dir::State::status "%[1]s/status"; Dir::Cache "%[1]s/cache";
Dir::Etc "%[1]s/etc"; Dir::Etc::sourcelist "%[2]s"; Dir::Etc::sourceparts "%[1]s/etc/parts"; Dir::Etc::preferencesparts "%[1]s/etc/prefs";
APT::Architecture "amd64"; APT::Architectures "amd64"; APT::Sandbox::User "root"; Acquire::Languages "none";
Acquire::http::Proxy "DIRECT"; #clear APT::Update;
`, dir, write("sources.list", sources)))
	apt := func(arguments ...string) string {
		command := exec.Command("apt-get", arguments...)
		command.Env = append(os.Environ(), "APT_CONFIG="+config, "LC_ALL=C")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("apt-get %v: %v\n%s", arguments, err, out)
		}
		return string(out)
	}
	apt("-o", "APT::Update::Error-Mode=any", "update")
	installs := regexp.MustCompile(`(?m)^Inst (\S+) \((\S+) `)
	for _, wish := range []string{
		"editor", "zones", "server", "novelty", "tool", "editor/trixie-backports", "server/trixie-backports", "editor/sid",
		"zones/trixie", "editor/stable", "libserver=1.0", "editor=2.0~bpo13+1",
	} {
		var want []string
		for _, found := range installs.FindAllStringSubmatch(apt("-s", "install", wish), -1) {
			want = append(want, found[1]+" "+found[2])
		}
		slices.Sort(want)
		l := w.must(nil, Update{}, w.stable(wants(strings.Replace(wish, "/stable", "/example", 1)))).Lock
		var have []string
		for _, key := range l.Machines["hello"].Packages {
			have = append(have, key.Name+" "+key.Version)
		}
		if !slices.Equal(have, want) {
			t.Errorf("%s: have %v, apt has %v", wish, have, want)
		}
	}
}
