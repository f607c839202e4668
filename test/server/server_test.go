//go:build long

package server_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"stet/internal/sandbox"
	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// patience is how long an emulated machine with every server may take to boot,
// when the databases are made and other tests run beside it.
const patience = 25 * time.Minute

// server is examples/server-large in a VM.
type server struct {
	*guest.Machine
	identity string // of the first boot
}

func TestServersKeepTheirState(t *testing.T) {
	// The machine would give up such a boot after ten minutes.
	m := &server{Machine: guest.Start(t, program.Example(t, "server-large"), func(c *vm.Config) {
		c.Memory = 4096
		c.CommandLine += " systemd.mask=stet-deadline.timer"
	})}
	m.boots(t)
	t.Run("makes the state of its databases once", m.hasMadeState)
	t.Run("has every package whole", m.verifiesPackages)
	t.Run("answers", m.answers)
	m.Run(t, addRows)
	m.identity = m.Run(t, identity)

	m.reboot(t)
	t.Run("is itself", m.isItself)
	t.Run("has kept its rows", m.hasRows)
}

func (m *server) boots(t *testing.T) {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	state, err := m.WaitBooted(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("booted in %.0f s", time.Since(begin).Seconds())
	if state != "running" {
		t.Errorf("the machine is %s\n%s", state, m.Run(t, "systemctl --failed --no-legend --plain; journalctl -b -p err --no-pager"))
	}
}

func (m *server) reboot(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := m.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	m.boots(t)
}

// expect looks for words in what a command prints.
func (m *server) expect(t *testing.T, line, words string) {
	t.Helper()
	if have := m.Run(t, line); !strings.Contains(have, words) {
		t.Errorf("%s\nhave %s\nwant %s", line, have, words)
	}
}

func (m *server) hasMadeState(t *testing.T) {
	m.expect(t, "ls /var/lib/stet/service | tr '\\n' ' '", "mariadb.made postgresql-17.made slapd.made")
	m.expect(t, "systemctl show -P Result stet-service-slapd.service stet-service-mariadb.service stet-service-postgresql-17.service | sort -u", "success")
}

// Of all packages, those whose scripts do most on a machine: each file costs an
// emulated processor a sum.
func (m *server) verifiesPackages(t *testing.T) {
	if output, status := m.Try(t, "dpkg -V mariadb-server postgresql-17 slapd postfix cups bind9 apache2-bin && dpkg --audit"); status != 0 || output != "" {
		t.Errorf("dpkg -V: exit status %d\n%s", status, output)
	}
	m.Run(t, "apt-get -qq check")
}

const (
	// addRows gives each database a row. Nobody can change the directory by
	// password before root gave the administrator one.
	addRows = `set -e
su postgres -c "psql -qc 'create table kept(x text)'"
su postgres -c "psql -qc \"insert into kept values ('row')\""
mariadb -e "create database kept; create table kept.t(x text); insert into kept.t values ('row')"
printf 'dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcRootPW\nolcRootPW: %s\n' "$(slappasswd -s secret)" |
  ldapmodify -Q -Y EXTERNAL -H ldapi:///
printf 'dn: ou=kept,dc=example,dc=org\nobjectClass: organizationalUnit\nou: kept\n' |
  ldapadd -x -D cn=admin,dc=example,dc=org -w secret
sync`

	// identity is all that is made once on a machine and never again.
	identity = `set -e
cat /etc/machine-id
sha256sum /etc/ssh/ssh_host_* /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem /etc/bind/rndc.key
su postgres -c "psql -Atc 'select system_identifier from pg_control_system()'"
mariadb -Nse "select create_time from information_schema.tables where table_schema='mysql' and table_name='global_priv'"
ldapsearch -LLL -x -b dc=example,dc=org -s base entryUUID
stat -c %Y /var/lib/stet/service/*`
)

func (m *server) isItself(t *testing.T) {
	if have := m.Run(t, identity); have != m.identity {
		t.Errorf("have %s\nwant %s", have, m.identity)
	}
}

func (m *server) hasRows(t *testing.T) {
	m.expect(t, `su postgres -c "psql -Atc 'select x from kept'"`, "row")
	m.expect(t, `mariadb -Nse "select x from kept.t"`, "row")
	m.expect(t, "ldapsearch -LLL -x -D cn=admin,dc=example,dc=org -w secret -b dc=example,dc=org ou=kept ou", "ou: kept")
}

// answers asks each server something that only it can know.
func (m *server) answers(t *testing.T) {
	for _, c := range []struct{ name, line, words string }{
		{"docker", "docker info --format '{{.ServerVersion}} {{.Driver}}'", "overlay2"},
		// An image without a registry: a static program of the machine.
		{"docker runs", `tar -C /usr/bin -c tini-static | docker import - own >/dev/null && docker run --rm --network none own /tini-static --version`, "tini version"},
		{"postfix", `echo hello | mail -s "$(cat /etc/machine-id)" root && for i in $(seq 60); do grep -q "^Subject: $(cat /etc/machine-id)" /var/mail/root 2>/dev/null && break; sleep 1; done; cat /var/mail/root`, "@server-large.example"},
		{"cups", "lpstat -r", "scheduler is running"},
		{"bind9", "dig +short @127.0.0.1 version.bind chaos txt", "Debian"},
		{"bind9 obeys its key", "rndc status", "server is up and running"},
		{"redis", "redis-cli set kept row && redis-cli get kept", "row"},
		{"apache2", "exec 3<>/dev/tcp/127.0.0.1/80; printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3", "Apache"},
		{"nginx", "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3", "large"},
		{"php-fpm", "php -r 'echo extension_loaded(\"pgsql\") ? \"loaded\" : \"\";' && systemctl is-active php8.4-fpm.service", "loaded"},
		{"chrony", "chronyc -n tracking", "Stratum"},
		{"java", "keytool -list -cacerts -storepass changeit", "trustedCertEntry"},
		{"emacs", "emacs --batch --eval '(princ (+ 1 1))'", "2"},
	} {
		t.Run(c.name, func(t *testing.T) { m.expect(t, "bash -c "+quote(c.line), c.words) })
	}
}

func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
