//go:build long

package live_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/test/guest"
	"stet/test/program"
)

// TestWhatIsAdoptedIsDeclared changes a machine by hand, takes that into its
// configuration, and makes a system of it: the machine then is what is declared,
// and every change works still.
func TestWhatIsAdoptedIsDeclared(t *testing.T) {
	stet := program.Example(t, "minimal")
	name := filepath.Join(stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	declare(t, stet, string(text), "first", "")
	declared, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m := guest.Start(t, stet)
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}

	m.Run(t, "mkdir /run/repository")
	if err := m.WriteFile(t.Context(), "/run/repository/stet.yaml", 0o644, strings.NewReader(string(declared))); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"echo changed >/etc/page",
		"printf 'a = 1\\nb = 2\\n' >/etc/new.conf; chmod 664 /etc/new.conf",
		"rm /etc/issue",
		"ln -s /srv/www /etc/www",
		"systemctl disable page.service",
		"echo shop >/etc/hostname",
		"echo secret >/etc/secret; chmod 600 /etc/secret",
	} {
		m.Run(t, line)
	}
	// A part of it is undone first.
	m.Run(t, "rm /etc/page; stet undo /etc/page; stet drift --exit-code | grep -q /etc/page && exit 1; grep -q first /etc/page && test -e /etc/www && echo changed >/etc/page")
	out, status := m.Try(t, "stet -C /run/repository adopt --all")
	if status != 3 || !strings.Contains(out, "left: /etc/secret: others may not read it") {
		t.Fatalf("exit status %d: %s", status, out)
	}
	adopted, err := m.ReadFile(t.Context(), "/run/repository/stet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		`/etc/page: {text: "first\n"}`, `/etc/page: {text: "changed\n"}`,
		"  /srv/www/index.html: {text: \"first\\n\"}\n", "  /srv/www/index.html: {text: \"first\\n\"}\n  /etc/issue: {absent: true}\n  /etc/new.conf:\n    text: |\n      a = 1\n      b = 2\n    mode: \"0664\"\n  /etc/www:\n    link: /srv/www\n",
		"  page.service:\n    enable: true\n", "  page.service:\n    enable: false\n",
	).Replace(string(declared)) + "hostname: shop\n"
	if diff := cmp.Diff(want, string(adopted)); diff != "" {
		t.Errorf("the configuration: %s", diff)
	}

	// A system of it is what the machine is, but for what was left.
	if err := os.WriteFile(name, adopted, 0o644); err != nil {
		t.Fatal(err)
	}
	bring(t, m, sent(t, stet), "adopted")
	m.Run(t, "stet undo /etc/secret && stet switch --from /run/adopted")
	if have := m.Run(t, "stet drift"); !strings.HasPrefix(have, "minimal is what") {
		t.Errorf("there is drift: %s", have)
	}
	have := m.Run(t, "cat /etc/page /etc/new.conf /etc/hostname; stat -c %a /etc/new.conf; readlink /etc/www; test -e /etc/issue || echo gone; systemctl is-enabled page.service || true")
	if have != "changed\na = 1\nb = 2\nshop\n664\n/srv/www\ngone\ndisabled" {
		t.Errorf("the machine is\n%s", have)
	}
}
