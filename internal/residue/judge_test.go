package residue

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name, path, a, b, how string
		class                 Class
		treatment             string
	}{
		{"a date in words", "/etc/x.conf", "# made Mon Nov 23 22:04:11 UTC 2026\nx\n", "# made Mon Nov 23 22:04:12 UTC 2026\nx\n", HowTime, Kept, TreatmentNormalise},
		{"seconds", "/var/lib/x/stamp", "1795471451\n", "1795471460\n", HowTime, Dropped, ""},
		{"an ISO date", "/usr/share/x/built", "built=2026-11-23T22:04:11+00:00", "built=2026-11-23T22:05:00+00:00", HowTime, Kept, TreatmentNormalise},
		{"nanoseconds", "/etc/x", "1795471451123456789", "1795471452987654321", HowTime, Kept, TreatmentNormalise},
		{"a UUID", "/etc/x/id", "6f2a1f60-3b1e-4e39-9d70-0d6e9a3f5b11\n", "0a8de9c5-77b2-4f70-8c55-b1cf3f1d2a90\n", HowRandom, Identity, ""},
		{"hexadecimal digits", "/var/lib/x/cookie", "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72", HowRandom, Identity, ""},
		{"a key in /usr", "/usr/share/x/data", "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72", HowRandom, Kept, TreatmentNormalise},
		{"base64", "/etc/x.pem", "-----BEGIN\nAAAAC3NzaC1lZDI1NTE5AAAAINDGix\n", "-----BEGIN\nAAAAC3NzaC1lZDI1NTE5AAAAIPqqqq\n", HowRandom, Identity, ""},
		{"a process", "/usr/share/x/owner", "pid=1240\n", "pid=9912\n", HowProcess, Dropped, ""},
		{"lines in another order", "/etc/x.list", "a\nb\nc\n", "c\na\nb\n", HowOrder, Kept, TreatmentSort},
		{"words in another order", "/var/lib/x/list", "a b c", "c a b", HowOrder, Kept, TreatmentSort},
		{"a path", "/etc/x", "root=/store/one/tmp\n", "root=/store/two/tmp\n", HowPath, Kept, TreatmentNormalise},
		{"a log", "/var/log/x.log", "a\n", "b\n", HowContent, Dropped, ""},
		{"a backup", "/etc/x.conf-old", "a\n", "b\n", HowContent, Dropped, ""},
		{"a database", "/var/lib/x/db", "\x00\x01aaaa", "\x00\x01bbbbbbb", HowContent, Derived, ""},
		{"binary seconds", "/usr/lib/x.cache", "\x00\x01" + "\x5b\x9e\x04\x6b" + "\x00", "\x00\x01" + "\x60\x9e\x04\x6b" + "\x00", HowTime, Kept, TreatmentNormalise},
		{"binary noise", "/etc/x.bin", "\x00head" + "qwertyui" + "tail", "\x00head" + "ASDFGHJK" + "tail", HowRandom, Identity, ""},
		{"time and noise", "/etc/x", "2026-11-23 d41d8cd98f00b204e9800998ecf8427e\nat 10:11:12\n", "2026-11-23 900150983cd24fb0d6963f7d28e17f72\nat 10:11:13\n", HowTime + " and " + HowRandom, Kept, TreatmentNormalise},
	} {
		p := Judge(c.path, []byte(c.a), []byte(c.b), "", "/store/one", "/store/two")
		if p.How != c.how || p.Class != c.class || p.Treatment != c.treatment {
			t.Errorf("%s: %+v", c.name, p)
		}
	}
}

func TestJudgeTakesWhatTheCallerSaw(t *testing.T) {
	if p := Judge("/etc/x", nil, nil, HowMetadata); p.How != HowMetadata || p.Class != Kept {
		t.Errorf("%+v", p)
	}
	if p := Judge("/etc/ssh/key", []byte("a"), nil, HowPresence); p.Class != Identity {
		t.Errorf("%+v", p)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("/etc/x", []byte("a\nb"), []byte("b\na"))
	f.Add("/var/lib/x", []byte("\x00\x01\x02\x03\x04"), []byte("\x00\x01\x02\x03\x05"))
	f.Fuzz(func(t *testing.T, name string, a, b []byte) {
		there, back := Judge(name, a, b, ""), Judge(name, b, a, "")
		if there != back {
			t.Errorf("%+v, the other way round %+v", there, back)
		}
		if there.How == "" || strings.Contains(there.How, "  ") || there.Class == "" {
			t.Errorf("%+v", there)
		}
	})
}
