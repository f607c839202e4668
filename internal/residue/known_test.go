package residue

import "testing"

// known are the paths in which two installations of the same 655 packages
// differ, with the times fixed, and what else depends on the order in which
// packages are configured: one for each cause, and for databases several.
var known = map[Class][]string{
	Service: {
		"/var/lib/mysql/ibdata1", "/var/lib/mysql/aria_log.00000001", "/var/lib/mysql/mysql/global_priv.MAD", "/var/lib/mysql/sys/sys_config.frm",
		"/var/lib/postgresql/17/main/global/pg_control", "/var/lib/postgresql/17/main/pg_wal/000000010000000000000001", "/var/lib/postgresql/17/main/pg_stat/pgstat.stat",
		"/etc/postgresql/17/main/postgresql.conf",
		"/etc/ldap/slapd.d/cn=config.ldif", "/etc/ldap/slapd.d/cn=config/olcDatabase={1}mdb.ldif", "/var/lib/ldap/data.mdb", "/var/lib/ldap/lock.mdb",
	},
	Identity: {
		"/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/bind/rndc.key",
		"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key.pub",
		"/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key",
	},
	Made: {"/etc/aliases.db"},
	Kept: {
		"/etc/ssl/certs/java/cacerts", "/etc/shells", "/var/lib/ucf/hashfile", "/var/lib/ucf/registry",
		"/var/lib/dpkg/triggers/File", "/var/lib/dpkg/diversions", "/var/lib/dpkg/statoverride",
	},
	Dropped: {
		"/var/cache/apt/pkgcache.bin", "/var/cache/apt/srcpkgcache.bin", "/var/cache/ldconfig/aux-cache",
		"/var/log/dpkg.log", "/var/log/alternatives.log", "/var/log/apt/history.log", "/var/log/apt/term.log", "/var/log/fontconfig.log",
		"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/var/lib/ucf/hashfile.0", "/var/lib/ucf/registry.7",
		"/var/cache/debconf/config.dat-old", "/var/cache/debconf/passwords.dat", "/usr/share/info/dir.old", "/var/lib/sgml-base/supercatalog.old",
		"/var/lib/dpkg/diversions-old", "/var/lib/dpkg/statoverride-old", "/var/lib/dpkg/status-old",
		"/etc/mdadm/mdadm.conf", "/var/lib/systemd/random-seed", "/etc/xml/catalog.old",
	},
	Derived: {"/var/cache/fontconfig/CACHEDIR.TAG", "/var/cache/debconf/config.dat"},
}

func TestTableCoversWhatIsKnownToDiffer(t *testing.T) {
	table, _, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for class, names := range known {
		for _, name := range names {
			rule, ok := table.Match(name)
			switch {
			case !ok:
				t.Errorf("no rule is for %s", name)
			case rule.Class != class:
				t.Errorf("%s is %s, not %s", name, rule.Class, class)
			case class == Kept && rule.Treatment == "":
				t.Errorf("%s stays as it is", name)
			}
		}
	}
}
