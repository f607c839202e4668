package unit

import (
	"fmt"
	"strings"
	"testing"
)

func TestInstallLinks(t *testing.T) {
	for name, c := range map[string]struct{ unit, text, links, also string }{
		"wanted and aliased": {"ssh.service", "[Unit]\nDescription=x\n[Install]\nWantedBy=multi-user.target\nAlias=sshd.service\n",
			"multi-user.target.wants/ssh.service sshd.service", ""},
		"nothing to install": {"a.service", "[Service]\nExecStart=/bin/true\n", "", ""},
		"required by two":    {"a.socket", "[Install]\nRequiredBy=b.service c.service\nAlso=d.service\n", "b.service.requires/a.socket c.service.requires/a.socket", "d.service"},
		"a list emptied":     {"a.service", "[Install]\nWantedBy=x.target\nWantedBy=\nWantedBy=y.target\n", "y.target.wants/a.service", ""},
		"a template":         {"getty@.service", "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n", "getty.target.wants/getty@tty1.service", ""},
		"an instance":        {"getty@tty2.service", "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n", "getty.target.wants/getty@tty2.service", ""},
		"continued lines":    {"a.service", "[Install]\nWantedBy=x.target \\\n# a comment between\n  y.target\n", "x.target.wants/a.service y.target.wants/a.service", ""},
	} {
		u, err := Parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		links, also := u.InstallLinks(c.unit, "/usr/lib/systemd/system/x")
		var have []string
		for _, l := range links {
			have = append(have, l.Path)
		}
		if strings.Join(have, " ") != c.links || strings.Join(also, " ") != c.also {
			t.Errorf("%s: have %v and %v", name, have, also)
		}
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for text, line := range map[string]int{"[Unit\n": 1, "A=b\n": 1, "[Unit]\n\nnonsense\n": 3} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("line %d", line)) {
			t.Errorf("%q: have %v", text, err)
		}
	}
}

func TestFileName(t *testing.T) {
	for name, want := range map[string]string{"a.service": "a.service", "a@b.service": "a@.service", "a@.service": "a@.service", "a@b.c.service": "a@.service"} {
		if have := FileName(name); have != want {
			t.Errorf("%s: have %s, want %s", name, have, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[Unit]\nA=b \\\n c\n[Install]\nWantedBy=x\n")
	f.Add("[Unit\nA\n=\n[S]\n=b\\\\\n\\")
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := Parse(text); err == nil {
			u.InstallLinks("a@.service", "/a")
		}
		name := "a@b.service"
		e, err := NewLoader(texts{lib + "a@.service": text, etc + "a@.service.d/x.conf": text}, SystemPath()).Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if verdict, _ := Compare(e, e); verdict != Equal {
			t.Errorf("%q differs from itself", text)
		}
		e.Related("After")
	})
}
