package residue

import (
	"strings"
	"testing"
)

func TestNoiseHasItsReason(t *testing.T) {
	n, err := BuiltinNoise()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, name, of string
		noise          bool
	}{
		{"file", "/etc/shadow-", "", true},
		{"file", "/etc/shadow", "", false},
		{"file", "/etc/cups", "owner 0:7, declared 0:0", true},
		{"file", "/etc/cups", "mode 0777, declared 0755; owner 0:7, declared 0:0", false},
		{"file", "/etc/colord", "is a directory", true},
		{"file", "/etc/colord", "leads to /tmp", false},
		{"mount", "/media/ada/stick", "vfat", true},
		{"mount", "/media", "vfat", false},
		{"mount", "/mnt", "ext4", false},
		{"mount", "/run/user/1000/doc", "fuse.portal", true},
		{"mount", "/run/user/1000/doc", "tmpfs", false},
		{"port", "6010/tcp", "/usr/lib/openssh/sshd-session", true},
		{"port", "6010/tcp", "/usr/bin/python3.13", false},
		{"port", "/etc/shadow-", "", false},
		{"software", "/usr/local/lib/python3.13/dist-packages/pip/_vendor/__pycache__", "", true},
		{"software", "/usr/local/lib/python3.13/dist-packages/pip", "", false},
	} {
		if why := n.Why(c.kind, c.name, c.of); (why != "") != c.noise {
			t.Errorf("%s %s of %q: %q", c.kind, c.name, c.of, why)
		}
	}
}

func TestNoiseThatSaysTooLittleIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":            "EOF",
		"Format: 7\n": `format "7"`,
		"Format: 1\n\nKind: file\nNames: /etc/x\n":             "line 3: a rule needs Kind, Names and Why",
		"Format: 1\n\nKind: file\nNames: /etc/[\nWhy: x\n":     `line 3: "/etc/[" is no pattern`,
		"Format: 1\n\nKind: file\nNames: /x\nOf: [\nWhy: x\n":  `line 3: "[" is no pattern`,
		"Format: 1\n\nKind: file\nKind: file\nNames: /x\nWhy:": "line",
	} {
		if _, err := ParseNoise([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
