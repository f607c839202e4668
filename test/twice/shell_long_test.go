//go:build long

package twice_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/mirror/mirrortest"
	"stet/test/chance"
	"stet/test/program"
)

// shellPrograms are programs of other packages than those of examples/minimal that have an
// understudy, but for those whose work is in no image, or that hand it over.
var shellPrograms = []string{"/usr/bin/ucf", "/usr/bin/ucfr", "/usr/sbin/phpenmod", "/usr/sbin/phpquery", "/usr/sbin/update-ca-certificates"}

// TestShellUnderstudiesDoWhatThePackagedProgramsDo calls these in ways that chance draws, on
// a system of Debian's own packages.
func TestShellUnderstudiesDoWhatThePackagedProgramsDo(t *testing.T) {
	first := seed(t)
	for n := range chance.Rounds(t, 2) {
		compareShellPrograms(t, first+uint64(n))
	}
}

func compareShellPrograms(t *testing.T, n uint64) {
	random := rand.New(rand.NewPCG(n, 1))
	p := program.Example(t, "minimal")
	wishes := []string{"ucf", "php-common", "ca-certificates"}
	for _, deb := range []mirrortest.Deb{spectatorOf(shellPrograms), filesOf(random, "files0", false), filesOf(random, "files1", true), modulesOf(random), certificatesOf(random)} {
		if deb.Fields == nil {
			deb.Fields = map[string]string{"Depends": "ucf, php-common, ca-certificates"}
		}
		if err := os.WriteFile(filepath.Join(p.Dir, deb.Name+".deb"), deb.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		wishes = append(wishes, deb.Name+": {local: ./"+deb.Name+".deb}")
	}
	name := filepath.Join(p.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(text, "\npackages: ["+strings.Join(wishes, ", ")+"]\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Must(t, "lock")
	allHad(t, differences(t, p, n), shellPrograms)
}

// said is behind a call that leaves what it says for [calls]: sorted, because some say
// it in the order of a directory.
const said = " >/tmp/said 2>&1 || status=$?; sort -o /tmp/said /tmp/said"

// filesOf is a package whose files ucf puts into /etc, or where it may not.
func filesOf(random *rand.Rand, name string, asks bool) mirrortest.Deb {
	deb := mirrortest.Deb{Name: name, Files: map[string]string{"/etc/" + name + ".d/there": "was there\n"}}
	share := "/usr/share/" + name + "/"
	for i := range 6 {
		deb.Files[fmt.Sprintf("%sfile%d", share, i)] = strings.Repeat(fmt.Sprintf("line %d\n", random.IntN(100)), pick(random, 0, 1, 500, 5000))
	}
	deb.Files[share+"file0.md5sum"] = "0123456789abcdef0123456789abcdef  default\n"
	lines := []string{"ln -sf " + share + "file1 /tmp/link"}
	for range 30 {
		file := fmt.Sprintf("%sfile%d", share, random.IntN(6))
		to := pick(random, "/etc/"+name+".conf", "/etc/"+name+".d/a", "/etc/"+name+".d/a.b", "/etc/"+name+".d/axb", "/etc/"+name+".d/b", "/etc/"+name+".d/there", "/etc/nowhere-"+name+"/c", "/etc/"+name+".d/../"+name+".e", "/etc/"+name+".d/with space")
		file = pick(random, file, file, file, "/tmp/link", share+"missing")
		lines = append(lines, pick(random,
			"ucf '"+file+"' '"+to+"'", "ucf '"+file+"' '"+to+"'", "ucf --debconf-ok '"+file+"' '"+to+"'", "ucf --three-way --debconf-ok '"+file+"' '"+to+"'",
			"ucf --three-way '"+file+"' '"+to+"'", "ucf -p '"+to+"'", "rm -f '"+to+"'", "UCF_FORCE_CONFFMISS=1 ucf '"+file+"' '"+to+"'", "echo changed >>'"+to+"'",
			"ucfr "+name+" '"+to+"'", "ucfr "+name+" '"+to+"'", "ucfr --force "+name+" '"+to+"'", "ucfr other '"+to+"'", "ucfr -f other '"+to+"'", "ucfr -p "+name+" '"+to+"'",
		)+said)
	}
	script := calls(name, lines)
	if asks {
		deb.Fields = map[string]string{"Depends": "ucf, debconf"}
		script = ". /usr/share/debconf/confmodule\n" + script + "db_stop\n"
	}
	deb.Scripts = postinst(script)
	return deb
}

// modulesOf is a package of a PHP's modules, and of calls for them.
func modulesOf(random *rand.Rand) mirrortest.Deb {
	deb := mirrortest.Deb{Name: "phpmodules", Files: map[string]string{}}
	modules := []string{"one", "two", "three", "four"}
	unlike := random.IntN(2) == 0 // one of them has no configuration
	for _, sapi := range []string{"cli", "fpm", "cgi"} {
		deb.Files["/usr/lib/php/8.4/sapi/"+sapi] = ""
		if sapi != "cgi" || !unlike {
			deb.Files["/etc/php/8.4/"+sapi+"/conf.d/.keep"] = ""
		}
	}
	for _, module := range modules {
		deb.Files["/etc/php/8.4/mods-available/"+module+".ini"] = pick(random, "", "", "; priority=10\n", ";priority = 15 \nextension=x.so\n", "; priority=\n", "; priority=1\n; priority=2\n", "7\n; priority=30\n") + "extension=" + module + ".so\n"
	}
	state := "/var/lib/php/modules/8.4/"
	var lines []string
	for range 80 {
		module, sapi := pick(random, append(modules, "one", "two", "missing", "one/10")...), pick(random, "cli", "fpm", "cli", "fpm", "cgi", "none")
		quiet := pick(random, "", "-q ")
		line := pick(random,
			"phpenmod -q -v 8.4 -m -r "+module, "phpenmod -q -v 8.4 -s "+sapi+" "+module, "phpenmod -m -v 8.4 -s "+sapi+" -q "+module, "phpenmod -m -v 8.4 -s "+sapi+" -q "+module,
			"phpenmod "+quiet+"-v 8.4 -m -s "+sapi+" "+module, "phpenmod "+quiet+"-v 8.4 -m -r "+module, "phpenmod -m -v 8.4 -s "+sapi+" -q "+module, "phpenmod "+module, "phpenmod -v ALL "+module,
			"phpenmod -v 8.4 "+module+" "+pick(random, modules...), "phpdismod "+quiet+"-v 8.4 -m -s "+sapi+" "+module, "phpdismod -v 8.4 "+module, "phpdismod -p -f -v 8.4 -s "+sapi+" -q "+module,
			"mkdir -p "+state+sapi+"/disabled_by_admin; touch "+state+sapi+"/disabled_by_admin/"+path.Base(module), "ln -sfn /dev/null /etc/php/8.4/"+sapi+"/conf.d/20-"+path.Base(module)+".ini", "rm -f /etc/php/8.4/"+sapi+"/conf.d/*-"+path.Base(module)+".ini",
		) + said
		if random.IntN(2) == 0 {
			line = "phpquery " + quiet + pick(random, "-v 8.4 -s "+sapi+" -m "+module, "-v 8.4 -S", "-S -v 8.4", "-v 8.4 -s "+sapi, "-V", "-v 9 -s cli -m "+module, "-v 8.4 -m "+module, "-M -v 8.4 -s "+sapi, "-d -M -v 8.4 -s "+sapi) + " 2>/dev/null | sort >/tmp/said"
		}
		lines = append(lines, line)
	}
	deb.Scripts = postinst(calls("phpmodules", lines))
	return deb
}

// certificatesOf is a package of certificates, and of lists of them in all spellings.
func certificatesOf(random *rand.Rand) mirrortest.Deb {
	deb := mirrortest.Deb{Name: "certificates", Files: map[string]string{
		"/etc/ca-certificates/update.d/count": "#!/bin/sh\nsort >>/etc/certificates/hook\n", "/etc/ca-certificates/update.d/not.run": "#!/bin/sh\ntouch /etc/certificates/not-run\n",
	}}
	names := []string{"own/one.crt", "own/two words.crt", "own/three(3),x.crt", "own/four.pem", "own/fünf.crt", "other/one.crt", "own/empty.crt", "own/missing.crt", "own"}
	for i, name := range names[:7] {
		deb.Files["/usr/share/certificates/"+name] = strings.Repeat("x", i) + strings.Repeat("-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n", i%3) + pick(random, "", "no end of line", "end of line\n")
	}
	deb.Files["/usr/share/certificates/own/empty.crt"] = ""
	// ca-certificates must not see them when it is configured: it would list what it can.
	lines := []string{"chmod 755 /etc/ca-certificates/update.d/*", "cp -r /usr/share/certificates/* /usr/share/ca-certificates/"}
	for i := range 12 {
		name := pick(random, names[:7]...)
		lines = append(lines, "grep -qxF '"+name+"' /etc/ca-certificates.conf || echo '"+name+"' >>/etc/ca-certificates.conf")
		if i > 7 { // what the understudy leaves to the packaged program
			lines = append(lines, pick(random,
				"echo '"+pick(random, "", "# ", "#")+pick(random, names...)+"' >>/etc/ca-certificates.conf", "sed -i 's,^"+name+"$,!"+name+",' /etc/ca-certificates.conf",
				"echo ' "+name+"' >>/etc/ca-certificates.conf", "echo local >/usr/local/share/ca-certificates/local.crt", "rm -f /usr/local/share/ca-certificates/*",
				"echo file >/etc/ssl/certs/four.pem.pem", ": >/etc/ca-certificates.conf",
			))
		}
		lines = append(lines,
			pick(random, ":", "ln -sf /nowhere /etc/ssl/certs/orphan.pem", "rm -f '/etc/ssl/certs/one.pem'", "ln -sf /nowhere /etc/ssl/certs/one.pem"),
			"update-ca-certificates "+pick(random, "", "", "", "", "--hooksdir ''", "--fresh", "--verbose")+" >/dev/null 2>&1",
			"md5sum /etc/ssl/certs/ca-certificates.crt >/tmp/said; ls /etc/ssl/certs >>/tmp/said")
	}
	deb.Scripts = postinst(calls("certificates", lines))
	return deb
}
