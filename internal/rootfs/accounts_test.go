package rootfs

import (
	"errors"
	"strings"
	"testing"

	"stet/internal/lock"
	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// accountsTree is a root in which two scripts made accounts, in a store.
func accountsTree(t *testing.T) (*store.Store, *tree.Tree) {
	t.Helper()
	s := openStore(t)
	p := pkg(t, s, stanza("a"),
		"/etc/passwd =root:x:0:0:root:/root:/bin/bash\nweb:x:101:998::/:/usr/sbin/nologin\nmail:x:102:103::/:/usr/sbin/nologin\n",
		"/etc/group =root:x:0:\nmail:x:103:web,root\nweb:x:998:\n",
		"/etc/shadow =web:!:20000::::::\nroot:*:20000:0:99999:7:::\nmail:!:20001::::::\n",
		"/etc/gshadow =web:!::\nmail:!::web,root\nroot:*::\n",
		"/var/lib/web =data", "/var/lib/mail =data")
	b := tree.NewBuilder(p.Files)
	for name, owner := range map[string][2]uint32{"/var/lib/web": {101, 998}, "/var/lib/mail": {102, 103}} {
		e, _ := b.Get(name)
		e.UID, e.GID = owner[0], owner[1]
		b.Put(e)
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return s, made
}

func TestRenumberSwapsNumbersEverywhere(t *testing.T) {
	s, root := accountsTree(t)
	ledger := lock.IDs{
		Users:  map[string]lock.User{"root": {}, "web": {UID: 102}, "mail": {UID: 101}},
		Groups: map[string]int{"root": 0, "mail": 998, "web": 103},
	}
	made, err := renumber(s, root, ledger, 86400*20500)
	if err != nil {
		t.Fatal(err)
	}
	get := func(name string) string {
		e, _ := made.Lookup(name)
		data, err := s.ReadObject(e.Digest)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for name, want := range map[string]string{
		"/etc/passwd":  "root:x:0:0:root:/root:/bin/bash\nmail:x:101:998::/:/usr/sbin/nologin\nweb:x:102:103::/:/usr/sbin/nologin\n",
		"/etc/group":   "root:x:0:\nweb:x:103:\nmail:x:998:root,web\n",
		"/etc/shadow":  "root:*:20500:0:99999:7:::\nmail:!:20500::::::\nweb:!:20500::::::\n",
		"/etc/gshadow": "root:*::\nweb:!::\nmail:!::root,web\n",
	} {
		if have := get(name); have != want {
			t.Errorf("%s: have\n%swant\n%s", name, have, want)
		}
	}
	web, _ := made.Lookup("/var/lib/web")
	mail, _ := made.Lookup("/var/lib/mail")
	if web.UID != 102 || web.GID != 103 || mail.UID != 101 || mail.GID != 998 {
		t.Errorf("owners: web %d:%d, mail %d:%d", web.UID, web.GID, mail.UID, mail.GID)
	}
}

func TestANameThatTheLedgerLacksIsAnError(t *testing.T) {
	s, root := accountsTree(t)
	_, err := renumber(s, root, lock.IDs{Users: map[string]lock.User{"root": {}, "mail": {}}, Groups: map[string]int{}}, 0)
	var missing *MissingIDError
	if !errors.As(err, &missing) || missing.Name != "web" || !strings.Contains(err.Error(), "stet lock") {
		t.Errorf("have %v", err)
	}
}

func TestNormaliseFollowsTheTable(t *testing.T) {
	s := openStore(t)
	p := pkg(t, s, stanza("a"), "/etc/shells =# words\n/bin/sh\n/bin/bash\n", "/var/log/dpkg.log =now", "/etc/passwd- =old",
		"/etc/ssh/ssh_host_rsa_key =secret", "/etc/motd =hello", "/usr/sbin/policy-rc.d =stub")
	table, _, err := residue.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	made, err := normalise(s, p.Files, table, tree.Time{Sec: 9})
	if err != nil {
		t.Fatal(err)
	}
	if have, want := paths(t, s, made), "/etc/motd=hello /etc/shells=# words\n/bin/bash\n/bin/sh\n"; have != want {
		t.Errorf("have %q", have)
	}
	if dir, ok := made.Lookup("/var/log"); !ok || dir.Mtime.Sec != 9 {
		t.Errorf("the directory of the logs is %+v", dir)
	}
}
