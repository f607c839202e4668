package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/machine"
)

// repository writes files ("name", "text", …) into a new directory.
func repository(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t testing.TB, files ...string) *Configuration {
	t.Helper()
	c, err := Load(context.Background(), repository(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExamplesAreRight(t *testing.T) {
	dirs, err := filepath.Glob("../../examples/*/stet.yaml")
	if err != nil || len(dirs) < 2 {
		t.Fatalf("found %v, %v", dirs, err)
	}
	for _, name := range dirs {
		c, err := Load(context.Background(), filepath.Dir(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := filepath.Base(filepath.Dir(name)); c.Machines[want] == nil {
			t.Errorf("%s declares %v, not %s", name, c.Names(), want)
		}
	}
}

func TestHelloIsWhatItSays(t *testing.T) {
	c, err := Load(context.Background(), "../../examples/hello")
	if err != nil {
		t.Fatal(err)
	}
	m, err := c.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Files["/etc/ssh/authorized_keys.d/ada"]; got.Mode != 0o644 || !strings.HasPrefix(got.Text, "ssh-ed25519 ") || !strings.HasSuffix(got.Text, "\n") {
		t.Errorf("ada's keys are %+v", got)
	}
	for _, line := range []string{"AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u\n", "PasswordAuthentication no\n", "PermitRootLogin no\n", "Port 22\n"} {
		if got := m.Files["/etc/ssh/sshd_config.d/50-stet.conf"].Text; !strings.Contains(got, line) {
			t.Errorf("the server's configuration lacks %q:\n%s", line, got)
		}
	}
	if got := m.Files["/etc/nginx/sites-enabled/default"]; got.Kind != machine.FileText || !strings.Contains(got.Text, "listen 80 default_server;") || !strings.Contains(got.Text, `root "/srv/www";`) {
		t.Errorf("the site is %+v", got)
	}
	if got := m.Files["/etc/resolv.conf"]; got.Kind != machine.FileLink || got.Link != "../run/systemd/resolve/stub-resolv.conf" {
		t.Errorf("resolv.conf is %+v", got)
	}
	if got, ok := m.Files["/etc/fstab"]; !ok || got.Kind != machine.FileText || got.Text != "" {
		t.Errorf("fstab is %+v", got)
	}
	for unit, want := range map[string]bool{"apt-daily.timer": false, "apt-daily-upgrade.timer": false, "dpkg-db-backup.timer": false, "nginx.service": true, "ssh.service": true, "systemd-networkd.service": true, "hello.service": true} {
		if got := m.Units[unit].Enable; got == nil || *got != want {
			t.Errorf("%s: enable is %v, want %v", unit, got, want)
		}
	}
	for name, because := range map[string]string{"curl": "", "nginx": "services.nginx", "locales": "locale en_GB.UTF-8", "tzdata": "timezone Europe/Berlin", "systemd-resolved": "network.dhcp"} {
		if got, ok := m.Packages[name]; !ok || got.Because != because {
			t.Errorf("package %s: %+v, want it because of %q", name, got, because)
		}
	}
	if !strings.Contains(m.Units["systemd-networkd-wait-online.service"].DropIns["10-stet"], "ExecStart=-") {
		t.Error("a boot without network would be degraded")
	}
}

func TestAQuietBootAsksForALoginAtOnce(t *testing.T) {
	c := load(t, "m.cue", "package stet\nmachines: quiet: kernel: parameters: quiet: {}\nmachines: loud: kernel: parameters: \"console=ttyS0\": {}\n")
	for _, name := range []string{"getty@.service", "serial-getty@.service"} {
		if text := c.Machines["quiet"].Units[name].DropIns["10-stet"]; !strings.Contains(text, "[Service]\nType=simple\n") {
			t.Errorf("a quiet boot's %s has %q", name, text)
		}
		if _, ok := c.Machines["loud"].Units[name]; ok {
			t.Errorf("messages of a boot come into the prompt of %s", name)
		}
	}
}

func TestDefaultSiteIsAbsentUnlessDeclared(t *testing.T) {
	c := load(t, FileName, "name: a\nservices: {nginx: {sites: {shop: {root: /srv/shop, server_name: shop.example, extra: 'autoindex on;'}}}}\n")
	if got := c.Machines["a"].Files["/etc/nginx/sites-enabled/default"].Kind; got != machine.FileAbsent {
		t.Errorf("the package's own site is %q", got)
	}
	if got := c.Machines["a"].Files["/etc/nginx/sites-enabled/shop"].Text; !strings.Contains(got, "server_name shop.example;") || !strings.Contains(got, "autoindex on;\n}") {
		t.Errorf("the site is\n%s", got)
	}
}

func TestOneConfigurationInYAMLAndInCUE(t *testing.T) {
	a := load(t, FileName, "name: web\ndebian: {suites: [trixie-backports]}\npackages: [curl, git/trixie-backports]\nusers: {ada: {groups: [sudo]}}\nkernel: {parameters: [quiet]}\n").Machines["web"]
	b := load(t, "web.cue", "package stet\nmachines: web: {\n debian: suites: \"trixie-backports\": {}\n packages: {curl: {}, git: suite: \"trixie-backports\"}\n users: ada: groups: sudo: {}\n kernel: parameters: quiet: {}\n}\n").Machines["web"]
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	if a.Digest() != b.Digest() {
		t.Error("equal machines have different digests")
	}
}

func TestACommentChangesNoMachine(t *testing.T) {
	a := load(t, FileName, "name: a\npackages: [curl, git]\n").Machines["a"]
	b := load(t, FileName, "# a machine\nname: a\n\npackages:\n- git # for work\n- curl\n").Machines["a"]
	if a.Digest() != b.Digest() {
		t.Error(cmp.Diff(a, b))
	}
}

func TestEveryValueHasItsPlace(t *testing.T) {
	c := load(t, FileName, "name: a\npackages: [curl]\nusers:\n  ada: {shell: /bin/sh}\nservices: {ssh: {}}\nfiles:\n  /etc/motd: {text: hi}\n")
	places := c.Places("a")
	for path, want := range map[string]string{
		"name":                      "stet.yaml:1:7",
		"packages.curl":             "stet.yaml:2:12",
		"users.ada.shell":           "stet.yaml:4:16",
		`files."/etc/motd".text`:    "stet.yaml:7:21",
		"packages.openssh-server":   "stet:modules/ssh.cue:",
		`files."/etc/fstab".text`:   "stet:schema/base.cue:",
		`units."ssh.service"`:       "stet:modules/ssh.cue:",
		"services.ssh.port":         "stet:",
		`units."apt-daily.timer"`:   "stet:schema/base.cue:",
		"packages.systemd-resolved": "stet:schema/network.cue:",
	} {
		if got := places[path].String(); !strings.HasPrefix(got, want) {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
	if c.Places("b") != nil {
		t.Error("a machine that there is not has places")
	}
}

func TestFilesReadAreNamed(t *testing.T) {
	c := load(t, FileName, "name: a\n", "m.cue", "package stet\nmachines: b: {}\n", "other.cue", "package other\nx: [\n", "sub/x.cue", "package stet\nmachines: c: {}\n")
	if diff := cmp.Diff([]string{"m.cue", FileName}, c.Files); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, c.Names()); diff != "" {
		t.Error(diff)
	}
}

func TestNoConfiguration(t *testing.T) {
	dir := repository(t, "x.cue", "package other\n")
	if _, err := Load(context.Background(), dir); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	if Has(dir) || Has(filepath.Join(dir, "nowhere")) {
		t.Error("a configuration was found where there is none")
	}
	if !Has(repository(t, FileName, "\t")) {
		t.Error("a configuration that is wrong was not found")
	}
}

// problem loads a configuration that is wrong in one way.
func problem(t *testing.T, dir string) Problem {
	t.Helper()
	_, err := Load(context.Background(), dir)
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("got %v, want one problem", err)
	}
	return problems[0]
}

// TestMirrorIsOneURL: it is written into a file that apt reads line by line.
func TestMirrorIsOneURL(t *testing.T) {
	for text, valid := range map[string]bool{
		"http://mirror.example.org/debian": true, "https://mirror.example.org": true, "file:///srv/debian": true,
		"mirror.example.org": false, "ftp://mirror.example.org/debian": false, "http://": false, "file://srv": false,
		"http://a/debian http://b/debian": false, "http://a/debian\\nTrusted: yes": false, "http://a/?x": false,
	} {
		dir := repository(t, FileName, "name: a\ndebian: {mirror: \""+text+"\"}\n")
		if !valid {
			if got := problem(t, dir); got.Place.Line != 2 || !strings.Contains(got.Error(), "the URL of a Debian mirror") {
				t.Errorf("%s: got %v", text, got)
			}
			continue
		}
		c, err := Load(context.Background(), dir)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if got := c.Machines["a"].Debian.Mirror; got != text {
			t.Errorf("%s: became %q", text, got)
		}
	}
}

func TestTextThatIsNoText(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"invalid UTF-8":    {"name: a\nhostname: \xff\xfe\n", "stet.yaml:2:11: not UTF-8 text: byte 0xff"},
		"a null byte":      {"name: a\x00\n", "stet.yaml:1:8: a control character: U+0000"},
		"too much text":    {"name: a\n#" + strings.Repeat("x", maxText), "stet.yaml: has 9 MB; a configuration file has at most 8 MB"},
		"deep brackets":    {"name: a\nx: " + strings.Repeat("[", 20000), "stet.yaml:2:10004: not YAML: exceeded max depth"},
		"deep blocks":      {"name: a\nx: " + strings.Repeat("{a: ", 500) + "1" + strings.Repeat("}", 500), "stet.yaml:2:260: a.a"},
		"another encoding": {"\xff\xfen\x00a\x00m\x00e\x00", "stet.yaml:1:1: not UTF-8 text: byte 0xff"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := problem(t, repository(t, FileName, c.text)); !strings.HasPrefix(got.Error(), c.want) && !strings.Contains(got.Message, "nested deeper") {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestConfigurationThatIsNoFile(t *testing.T) {
	dir := repository(t)
	if err := os.Symlink("/dev/zero", filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if got := problem(t, dir).Message; !strings.Contains(got, "link to outside") {
		t.Errorf("got %q", got)
	}
	dir = repository(t, FileName+"/x", "")
	if got := problem(t, dir).Message; got != "is a directory, not a file" {
		t.Errorf("got %q", got)
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, c := range []struct{ files, units, users int }{{2, 1, 1}, {200, 50, 20}} {
		b.Run(fmt.Sprintf("%d files", c.files), func(b *testing.B) {
			dir := repository(b, FileName, large(c.files, c.units, c.users))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Load(context.Background(), dir); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
		})
	}
}

// large is a machine of many parts.
func large(files, units, users int) string {
	var b bytes.Buffer
	b.WriteString("name: large\nservices: {ssh: {}}\nfiles:\n")
	for i := range files {
		fmt.Fprintf(&b, "  /etc/app/%d.conf: {text: \"value %d\\n\", mode: \"0640\"}\n", i, i)
	}
	b.WriteString("units:\n")
	for i := range units {
		fmt.Fprintf(&b, "  app-%d.service: {enable: true, text: \"[Service]\\nExecStart=/usr/bin/true %d\\n\"}\n", i, i)
	}
	b.WriteString("users:\n")
	for i := range users {
		fmt.Fprintf(&b, "  user%d: {groups: [sudo, adm], ssh_keys: [\"ssh-ed25519 AAAA%d user%d\"]}\n", i, i, i)
	}
	return b.String()
}

// FuzzLoad holds that no text crashes or hangs, and that every problem of
// stet.yaml says where it is.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		"name: a\n", "name: a\nbass: b\n", "a: &a [*a]\n", "- a\n", "name: a\npackages: [curl, {x: {}}, 3]\n", "name: a\n<<: {base: minimal}\n",
		"name: a\nusers: {Ada: {x: [1, {}]}}\nfiles: {etc: 3, /a: {mode: 0644}}\n", "name: !!binary aGk=\n", "? a\n: b\n", "name: a\nsysctl: {a: .inf, b: 0x1F, c: 1e400}\n",
		"name: a\ntests: {a: [{run: x}, 3, null]}\nunits: null\n", "\ufeffname: a\n", "name: 'a\n\n b'\n", "name: a\n\"_key\": 1\n\"#x\": 2\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Load(context.Background(), repository(t, FileName, text))
		if err == nil {
			if len(c.Machines) != 1 {
				t.Errorf("%d machines", len(c.Machines))
			}
			return
		}
		var problems Problems
		if !errors.As(err, &problems) {
			t.Fatalf("an error without a place: %v", err)
		}
		for _, p := range problems {
			if p.Place.File == "" || p.Message == "" || strings.Contains(p.Message, evaluatorFailed) {
				t.Errorf("a problem without place or words: %+v", p)
			}
		}
	})
}
