package residue

import (
	"strings"
	"testing"
)

func TestBuiltinTableClassifies(t *testing.T) {
	table, _, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Class{
		"/etc/passwd-":                  Dropped,
		"/var/log/apt/history.log":      Dropped,
		"/var/lib/dpkg/status-old":      Dropped,
		"/var/lib/dpkg/status":          Derived,
		"/var/lib/dpkg":                 Derived,
		"/var/lib/dpkg/triggers/File":   Kept,
		"/etc/machine-id":               Identity,
		"/etc/ssh/ssh_host_rsa_key.pub": Identity,
		"/var/lib/ucf/hashfile.3":       Dropped,
		"/var/cache/debconf/config.dat": Derived,
		"/var/cache/fontconfig":         Derived,
		"/etc/ssh/sshd_config":          "",
		"/var/lib/dpkgx":                "",
		"/etc/ssh/sub/ssh_host_rsa_key": "",
		"/usr/share/info/dir":           Kept,
	} {
		have := Class("")
		if rule, ok := table.Match(name); ok {
			have = rule.Class
		}
		if have != want {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, problem := range map[string]string{
		"Format: 2\n": "use a newer Stet",
		"Format: 1\n\nPaths: /x\nClass: dropped\n":                                        "needs Paths and Why",
		"Format: 1\n\nPaths: x\nClass: dropped\nWhy: y\n":                                 "no pattern of an absolute path",
		"Format: 1\n\nPaths: /[x\nClass: dropped\nWhy: y\n":                               "no pattern",
		"Format: 1\n\nPaths: /x\nClass: lost\nWhy: y\n":                                   `unknown class "lost"`,
		"Format: 1\n\nPaths: /x\nClass: derived\nWhy: y\n":                                "ends with a slash",
		"Format: 1\n\nPaths: /x\nClass: identity\nMake: m\nWhy: y\n":                      "both Make and Done",
		"Format: 1\n\nPaths: /x/\nClass: derived\nMake: m\nWhy: y\n":                      "both Make and Package",
		"Format: 1\n\nPaths: /x\nClass: kept\nPackage: p\nWhy: y\n":                       "both Make and Package",
		"Format: 1\n\nPaths: /x\nClass: identity\nStand-In: /y\nWhy: y\n":                 "stands in for nothing",
		"Format: 1\n\nPaths: /x\nClass: kept\nTreatment: without\nWhy: y\n":               "no pattern of lines",
		"Format: 1\n\nPaths: /x\nClass: made\nWhy: y\n":                                   "Package, Make and Done",
		"Format: 1\n\nPaths: /x\nClass: kept\nTreatment: shuffle\nWhy: y\n":               "unknown treatment",
		"Format: 1\n\nPaths: /x\nClass: kept\nWhy: y\n\nPaths: /y\nClass: lost\nWhy: z\n": "line 7",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: have %v, want %q", text, err, problem)
		}
	}
}

func FuzzParse(f *testing.F) {
	_, text, _ := Builtin()
	f.Add(text)
	f.Fuzz(func(t *testing.T, text []byte) {
		if table, err := Parse(text); err == nil {
			table.Match("/var/lib/x")
		}
	})
}

// A table that knows what its patterns begin with finds what looking at each would find.
func TestMatchFindsTheFirstRule(t *testing.T) {
	table, _, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	first := func(name string) *Rule {
		for i := range table.Rules {
			for _, pattern := range table.Rules[i].Patterns {
				if matches(pattern, name) {
					return &table.Rules[i]
				}
			}
		}
		return nil
	}
	for _, rule := range table.Rules {
		for _, pattern := range rule.Patterns {
			for _, star := range []string{"a", "", "a/b", "1"} {
				name := strings.ReplaceAll(strings.ReplaceAll(pattern, "**", star+"/x"), "*", star)
				for _, name := range []string{name, strings.TrimSuffix(name, "/"), name + "x", strings.Replace(name, "[0-9]", "7", 1)} {
					if have, _ := table.Match(name); have != first(name) {
						t.Errorf("%s: have %v, want %v", name, have, first(name))
					}
				}
			}
		}
	}
}
