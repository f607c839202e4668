package mirrortest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
)

// apt decides what an archive is. It must take ours as a real one, signature
// and all, and dpkg must take our packages; else no test that uses them proves
// anything.
func TestAptTakesTheArchive(t *testing.T) {
	a := mirrortest.New("trixie", time.Now())
	d := a.Add(mirrortest.Deb{
		Name: "hello", Version: "1:2.0-1",
		Scripts: map[string]string{"postinst": "#!/bin/sh\n"},
		Files:   map[string]string{"/usr/bin/hello": "#!/bin/sh\n", "/etc/hello": "x\n"},
		Links:   map[string]string{"/usr/bin/hi": "hello"},
	})[0]
	s := a.Serve(t)
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
	key := write("key.gpg", string(a.Key.Public()))
	write("status", "")
	config := write("apt.conf", fmt.Sprintf(`Dir "%[1]s";
Dir::State "%[1]s"; Dir::State::Lists "%[1]s/lists"; Dir::State::status "%[1]s/status"; Dir::Cache "%[1]s/cache";
Dir::Etc "%[1]s/etc"; Dir::Etc::sourcelist "%[2]s"; Dir::Etc::sourceparts "%[1]s/etc/parts"; Dir::Etc::preferencesparts "%[1]s/etc/prefs";
APT::Architecture "amd64"; APT::Architectures "amd64"; APT::Sandbox::User "root"; Acquire::Languages "none";
Acquire::http::Proxy "DIRECT"; #clear APT::Update;
`, dir, write("sources.list", "deb [signed-by="+key+"] "+s.URL+" trixie main\n")))
	for _, arguments := range [][]string{{"-o", "APT::Update::Error-Mode=any", "update"}, {"download", "hello"}} {
		command := exec.Command("apt-get", arguments...)
		command.Dir = dir
		command.Env = append(os.Environ(), "APT_CONFIG="+config, "LC_ALL=C")
		out, err := command.CombinedOutput()
		if err != nil || strings.Contains(string(out), "W:") {
			t.Fatalf("apt-get %v: %v\n%s", arguments, err, out)
		}
	}
	out, err := exec.Command("dpkg-deb", "--contents", filepath.Join(dir, "hello_1%3a2.0-1_amd64.deb")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"drwxr-xr-x root/root", "./usr/bin/hi -> hello", "-rwxr-xr-x root/root        10 2026-09-01 00:00 ./usr/bin/hello\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("have %s\nwant %s", out, want)
		}
	}
	if d.Size == 0 {
		t.Error("the package has no size")
	}
}
