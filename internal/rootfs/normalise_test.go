package rootfs

import (
	"testing"

	"stet/internal/residue"
	"stet/internal/tree"
)

func TestTreatments(t *testing.T) {
	for name, c := range map[string]struct {
		rule       residue.Rule
		have, want string
	}{
		"sorted below its head": {residue.Rule{Treatment: residue.TreatmentSort}, "# head\nb\na\n", "# head\na\nb\n"},
		"records of three":      {residue.Rule{Treatment: residue.TreatmentTriples}, "/b\n/b.x\np\n/a\n/a.x\np\n", "/a\n/a.x\np\n/b\n/b.x\np\n"},
		"no records of three":   {residue.Rule{Treatment: residue.TreatmentTriples}, "b\na\n", "b\na\n"},
		"an empty file":         {residue.Rule{Treatment: residue.TreatmentTriples}, "", ""},
		"without a line":        {residue.Rule{Treatment: residue.TreatmentWithout, Lines: "name = *"}, "a = 1\nname = x.y\nmyname = 2\n", "a = 1\nmyname = 2\n"},
		"none":                  {residue.Rule{}, "b\na", "b\na"},
	} {
		if have := string(treatment([]byte(c.have), &c.rule, 77)); have != c.want {
			t.Errorf("%s: have %q, want %q", name, have, c.want)
		}
	}
}

// A service's data goes with its directories; the one that packages and
// scripts put it into stays, with its owner.
func TestServiceStateIsInNoTree(t *testing.T) {
	s := openStore(t)
	p := pkg(t, s, stanza("a"),
		"/var/lib/mysql/ibdata1 =random", "/var/lib/mysql/mysql/db.frm =table", "/etc/mysql/my.cnf =kept",
		"/etc/postgresql/17/main/postgresql.conf =made", "/etc/postgresql-common/x =kept", "/etc/aliases.db =made", "/etc/aliases =kept",
		"/etc/ssl/certs/ssl-cert-snakeoil.pem =made", "/etc/ssl/certs/e7f0e245.0 >ssl-cert-snakeoil.pem", "/etc/ssl/certs/002c0b4f.0 >Root.pem")
	table, _, err := residue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	left, err := normalise(s, p.Files, table, tree.Time{Sec: 77})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"/var/lib/mysql": true, "/var/lib/mysql/ibdata1": false, "/var/lib/mysql/mysql": false,
		"/etc/postgresql": true, "/etc/postgresql/17": false, "/etc/postgresql-common/x": true,
		"/etc/mysql/my.cnf": true, "/etc/aliases": true, "/etc/ssl/certs/e7f0e245.0": false, "/etc/ssl/certs/002c0b4f.0": true, "/etc/aliases.db": false,
	} {
		if _, have := left.Lookup(name); have != want {
			t.Errorf("%s: there %v, want %v", name, have, want)
		}
	}
}
