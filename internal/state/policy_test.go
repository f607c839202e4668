package state

import (
	"strings"
	"testing"
)

func TestPersistedPaths(t *testing.T) {
	policy, err := ParsePolicy([]byte(`{"format":1,"persist":["/etc/ssh/ssh_host_*","/etc/NetworkManager/system-connections","/etc/adjtime"]}`))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{
		"/etc/ssh/ssh_host_rsa_key":                        true,
		"/etc/ssh/ssh_host_rsa_key.pub":                    true,
		"/etc/ssh/sshd_config":                             false,
		"/etc/ssh":                                         false,
		"/etc/ssh/sub/ssh_host_x":                          false,
		"/etc/NetworkManager/system-connections":           true,
		"/etc/NetworkManager/system-connections/home":      true,
		"/etc/NetworkManager/system-connections/a/b":       true,
		"/etc/NetworkManager/system-connections.d/foreign": false,
		"/etc/NetworkManager":                              false,
		"/etc/adjtime":                                     true,
		"/etc/machine-id":                                  true, // whatever a policy says
		"/etc":                                             false,
		"/":                                                false,
	}
	for name, want := range tests {
		if got := policy.Persists(name); got != want {
			t.Errorf("Persists(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestPoliciesThatCouldSurpriseABootAreRefused(t *testing.T) {
	tests := map[string]string{
		``:                                 "read the state policy",
		`[]`:                               "read the state policy",
		`{}`:                               "format 0",
		`{"format":2,"new":true}`:          "use the Stet that built the system",
		`{"format":1,"perist":[]}`:         "perist",
		`{"format":1,"persist":["etc/x"]}`: "below /etc",
		`{"format":1,"persist":["/etc/../root"]}`: "below /etc",
		`{"format":1,"persist":["/etc/"]}`:        "below /etc",
		`{"format":1,"persist":["/var/lib"]}`:     "below /etc",
		`{"format":1,"persist":["/etc/[a"]}`:      "syntax error",
		`{"format":1,"users":{"ada":["uid"]}}`:    `"uid"`,
		`{"format":1,"users":{"a:b":[]}}`:         "no user name",
	}
	for text, want := range tests {
		if _, err := ParsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", text, err, want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(`{"format":1,"persist":["/etc/ssh/ssh_host_*"],"users":{"ada":["password","shell"]}}`), "/etc/ssh/x")
	f.Fuzz(func(t *testing.T, text []byte, name string) {
		policy, err := ParsePolicy(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(name, "/") {
			name = "/" + name
		}
		if policy.Persists(name) && !strings.HasPrefix(name, "/etc/") {
			t.Errorf("%s persists %q, which is not below /etc", text, name)
		}
	})
}
