//go:build long

package debian_test

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"stet/internal/mirror/mirrortest"
	"stet/internal/sandbox"
	"stet/test/guest"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// configuration adds to examples/minimal what people look at packages with.
const configuration = `name: minimal
base: minimal
debian: {mirror: "file:///srv/debian", updates: false, security: false}
network: {dhcp: false}
kernel: {package: linux-image-cloud-amd64, parameters: [console=ttyS0]}
packages: [apt, apt-utils, debsums, dpkg-dev, htop, reportbug, unattended-upgrades]
users: {ada: {description: Ada Lovelace}}
`

// archive makes an archive in the guest: one package that is new, one that is
// newer than the machine's, and a source.
const archive = `set -e
umask 022
make_deb() {
	mkdir -p /tmp/deb/$1/DEBIAN
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Ada <ada@example.org>\nDescription: made for a test\n' $1 $2 >/tmp/deb/$1/DEBIAN/control
	dpkg-deb --build /tmp/deb/$1 pool/$1_$2_all.deb
}
mkdir -p /srv/debian/pool && cd /srv/debian
make_deb tree 2
make_deb htop 99
mkdir -p /tmp/source/debian && cd /tmp/source && mkdir debian/source
echo '3.0 (native)' >debian/source/format
printf 'Source: written\nMaintainer: Ada <ada@example.org>\n\nPackage: written\nArchitecture: all\nDescription: made for a test\n' >debian/control
printf 'written (1) trixie; urgency=low\n\n  * Written.\n\n -- Ada <ada@example.org>  Sat, 12 Sep 2026 07:55:41 +0000\n' >debian/changelog
cd /srv/debian/pool && dpkg-source --build /tmp/source
cd .. && for dir in binary-amd64 source; do mkdir -p dists/trixie/main/$dir; done
apt-ftparchive packages pool >dists/trixie/main/binary-amd64/Packages
apt-ftparchive sources pool >dists/trixie/main/source/Sources
apt-ftparchive -o APT::FTPArchive::Release::Origin=Debian -o APT::FTPArchive::Release::Label=Debian \
	-o APT::FTPArchive::Release::Suite=trixie -o APT::FTPArchive::Release::Codename=trixie \
	-o APT::FTPArchive::Release::Architectures=amd64 -o APT::FTPArchive::Release::Components=main \
	release dists/trixie >/tmp/Release`

// machine is the guest.
type machine struct{ *guest.Machine }

func TestDebianFeelsLikeDebian(t *testing.T) {
	stet := program.Example(t, "minimal")
	if err := os.WriteFile(filepath.Join(stet.Dir, "stet.yaml"), []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	stet.Must(t, "lock")
	m := machine{guest.Start(t, stet)}
	if state := m.Booted(t); state != "running" {
		t.Fatalf("the machine is %s", state)
	}
	t.Run("dpkg answers", m.answersOfDpkg)
	t.Run("an unknown name is told the way", func(t *testing.T) { m.refuses(t, "apt install tree", `"stet add tree"`) })
	m.makesArchive(t)
	t.Run("apt reads its archive", m.readsArchive)
	t.Run("apt answers", m.answersOfApt)
	t.Run("apt knows what was wished for", m.knowsWishes)
	t.Run("a bug can be reported", m.reportsBug)
	t.Run("what changes packages refuses", m.refusesChanges)
	t.Run("nothing changed", m.hasNotChanged)
}

// makesArchive puts it where the configuration says, signed with a key that
// lies over Debian's for as long as the machine runs.
func (m machine) makesArchive(t *testing.T) {
	m.Run(t, archive)
	key := mirrortest.NewKey("test archive", time.Now().Add(-24*time.Hour), 0)
	release := m.Run(t, "cat /tmp/Release") + "\n"
	m.put(t, "/srv/debian/dists/trixie/InRelease", key.Sign([]byte(release), time.Now().Add(-time.Hour), crypto.SHA256))
	m.put(t, "/tmp/archive.pgp", key.Public())
	m.Run(t, "mount --bind /tmp/archive.pgp /usr/share/keyrings/debian-archive-keyring.pgp")
}

func (m machine) put(t *testing.T, name string, data []byte) {
	m.Run(t, fmt.Sprintf("umask 022 && echo %s | base64 -d >%s", base64.StdEncoding.EncodeToString(data), name))
}

// answer is a line of shell and what its output must match, all of it.
type answer struct{ line, want string }

func (m machine) answers(t *testing.T, answers []answer) {
	t.Helper()
	for _, a := range answers {
		output, status := m.Try(t, a.line)
		if status != 0 || !regexp.MustCompile(`(?s)^(`+a.want+`)$`).MatchString(output) {
			t.Errorf("%s: exit status %d\n%s\nwant %s", a.line, status, output, a.want)
		}
	}
}

func (m machine) answersOfDpkg(t *testing.T) {
	m.answers(t, []answer{
		{"dpkg -l htop", `.*\nii +htop +3\S+ +amd64 +interactive .*`},
		{"dpkg -L htop", `/\.\n.*/usr/bin/htop\n.*`},
		{"dpkg -S bin/htop", `htop: /usr/bin/htop`},
		{"dpkg -s htop", `Package: htop\nStatus: install ok installed\n.*`},
		{"dpkg -V", ``},
		{"dpkg --audit", ``},
		{"dpkg --simulate -r htop", `.*Would remove or purge htop .*`},
		{"debsums -s htop dpkg apt coreutils", ``},
		{"debconf-show debconf", `.*debconf/frontend.*`},
	})
}

func (m machine) hasNotChanged(t *testing.T) {
	m.answers(t, []answer{
		{"umount /usr/share/keyrings/debian-archive-keyring.pgp && dpkg -V", ``},
		{"dpkg-query -W htop; dpkg-query -W tree 2>&1; true", `htop\s3\S+\ndpkg-query: no packages found matching tree`},
		{"systemctl is-system-running", `running`},
	})
}

func (m machine) readsArchive(t *testing.T) {
	m.answers(t, []answer{
		{"cat /etc/apt/sources.list.d/debian.sources", `#.*\n\nTypes: deb deb-src\nURIs: file:///srv/debian\nSuites: trixie\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.pgp`},
		{"apt-get update 2>&1 | grep -E '^(W|E|Err)' || echo fine", `fine`},
		{"apt-get check 2>&1 | grep -E '^(W|E)' || echo fine", `fine`},
		{"apt-cache policy htop", `htop:\n  Installed: 3\S+\n  Candidate: 99\n.* file:/srv/debian trixie/main amd64 Packages\n.*/dpkg/status`},
		{"apt-cache show tree", `Package: tree\n.*`},
		{"cd /tmp && apt-get -qq source written 2>&1 && cat written-1/debian/changelog", `.*\* Written\..*`},
		{"cd /tmp && apt-get -qq download tree && ls tree_*", `tree_2_all.deb`},
	})
}

func (m machine) answersOfApt(t *testing.T) {
	m.answers(t, []answer{
		{"apt-cache depends debsums", `debsums\n.*  Depends: \S+\n.*`},
		{"apt list --installed 2>/dev/null | grep ^htop/", `htop/now 3\S+ amd64 \[installed.*`},
		{"apt list --upgradable 2>/dev/null | grep -c upgradable", `1`},
		{"apt-get -qs install tree", `.*Inst tree .*Conf tree .*`},
		{"apt-get -qs --no-new-pkgs upgrade", `.*Inst htop .*`},
		{"apt-get -qy --download-only install tree && echo done", `.*download only mode\ndone`},
		{"apt-get clean && apt-get autoclean", `.*`},
	})
}

func (m machine) knowsWishes(t *testing.T) {
	m.answers(t, []answer{
		{"apt-mark showmanual apt htop libncursesw6 libc6 linux-image-cloud-amd64 bash", "apt\nbash\nhtop\nlinux-image-cloud-amd64"},
		{"apt-mark showauto apt htop libncursesw6 libc6 bash", "libc6\nlibncursesw6"},
		{"apt-get -qs autoremove", `.*0 upgraded, 0 newly installed, 0 to remove .*`},
	})
}

func (m machine) reportsBug(t *testing.T) {
	// It takes no address of a domain that is set aside for examples.
	m.answers(t, []answer{
		{"runuser -u ada -- env HOME=/home/ada DEBEMAIL=ada@this.machine reportbug --template debsums </dev/null 2>&1", `.*From: Ada Lovelace <ada@this.machine>\n.*Package: debsums\nVersion: 3.*\nii +\S.*`},
	})
}

func (m machine) refusesChanges(t *testing.T) {
	for _, a := range []answer{
		{"apt install tree", `"stet add tree"`},
		{"apt-get -y install tree", `"stet add tree"`},
		{"apt -y install /srv/debian/pool/tree_2_all.deb", `"stet add tree"`},
		{"apt-get -y reinstall htop", `"stet add htop"`},
		{"apt upgrade", `"stet update"`},
		{"apt-get -y dist-upgrade", `"stet update"`},
		{"apt full-upgrade", `"stet update"`},
		{"unattended-upgrade -v", `"stet update"`},
		{"apt remove htop", `"stet remove htop"`},
		{"apt-get -y purge htop", `"stet remove htop"`},
		{"apt autoremove", `"stet remove x"`},
		{"dpkg -i /srv/debian/pool/tree_2_all.deb", `"stet add tree"`},
		{"dpkg --unpack /srv/debian/pool/tree_2_all.deb", `"stet add tree"`},
		{"dpkg -r htop", `"stet remove htop"`},
		{"dpkg -P htop", `"stet remove htop"`},
		{"dpkg --configure -a", "configured when it was built"},
		{"dpkg --add-architecture i386", `"stet add NAME:ARCHITECTURE"`},
	} {
		m.refuses(t, a.line, a.want)
	}
	m.answers(t, []answer{{"ls /var/cache/apt/archives", "lock\npartial"}}) // nothing was fetched
}

// failure is the beginning of a line by which dpkg and apt complain.
var failure = regexp.MustCompile(`(?m)^(stet:|E:|W:|Error:|Warning:|dpkg:|.*\b(L|l)ock(ing)? file).*`)

// refuses wants a failure, of which the first line names the way, and no
// complaint about what only happens to be so.
func (m machine) refuses(t *testing.T, line, way string) {
	t.Helper()
	output, status := m.Try(t, "("+line+") </dev/null 2>&1")
	first := failure.FindString(output)
	if status == 0 || !strings.HasPrefix(first, "stet: ") || !strings.Contains(first, way) || strings.Count(output, "stet: ") != 1 {
		t.Errorf("%s: exit status %d\n%s\nwant %s", line, status, output, way)
	}
	for _, bad := range []string{"ead-only file system", "lock file", "frontend lock", "are you root"} {
		if strings.Contains(output, bad) {
			t.Errorf("%s: complains of %q\n%s", line, bad, output)
		}
	}
}
