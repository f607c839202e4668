//go:build long

package server_test

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stet/internal/store"
	"stet/internal/tree"
	"stet/test/program"
)

// built is what a machine's packages made, as its trees have it.
type built struct {
	*testing.T
	store *store.Store
	trees map[string]*tree.Tree
}

// open builds the machine and reads its trees.
func open(t *testing.T, p program.Program) *built {
	t.Helper()
	made := p.Build(t)
	s, err := store.Open(p.Store(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &built{T: t, store: s, trees: map[string]*tree.Tree{}}
	for name, digest := range made.Trees {
		if b.trees[name], err = s.Tree(digest); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// entry finds a path where the machine has it. What is derived from the
// packages is in the usr tree, and a link leads there.
func (b *built) entry(name string) (*tree.Entry, bool) {
	for {
		in, below := "var", name
		for _, top := range []string{"usr", "etc"} {
			if rest, ok := strings.CutPrefix(name, "/"+top+"/"); ok {
				in, below = top, "/"+rest
			}
		}
		if e, ok := b.trees[in].Lookup(below); ok {
			return e, true
		}
		parent, rest := below, ""
		for parent != "/" {
			i := strings.LastIndexByte(parent, '/')
			parent, rest = parent[:i], parent[i:]+rest
			if parent == "" {
				return nil, false
			}
			if e, ok := b.trees[in].Lookup(parent); ok {
				if e.Type != tree.Symlink || !strings.HasPrefix(e.Target, "/") {
					return nil, false
				}
				name = e.Target + rest
				break
			}
		}
	}
}

func (b *built) must(name string) *tree.Entry {
	b.Helper()
	e, ok := b.entry(name)
	if !ok {
		b.Fatalf("there is no %s", name)
	}
	return e
}

func (b *built) read(name string) string {
	b.Helper()
	e := b.must(name)
	if e.Type != tree.Regular {
		b.Fatalf("%s is a %s", name, e.Type)
	}
	data, err := b.store.ReadObject(e.Digest)
	if err != nil {
		b.Fatal(err)
	}
	return string(data)
}

// has looks for a line in a file, as a regular expression of the whole line.
func (b *built) has(name, line string) {
	b.Helper()
	if text := b.read(name); !regexp.MustCompile("(?m)^" + line + "$").MatchString(text) {
		b.Errorf("%s has no line %s in\n%s", name, line, text[:min(len(text), 4000)])
	}
}

// account gives the number of a user or group.
func (b *built) account(file, name string) uint32 {
	b.Helper()
	match := regexp.MustCompile(`(?m)^` + name + `:x:([0-9]+):`).FindStringSubmatch(b.read(file))
	if match == nil {
		b.Fatalf("%s has no %s", file, name)
	}
	var id uint32
	fmt.Sscan(match[1], &id)
	return id
}

// owned checks owner, group and mode.
func (b *built) owned(name, user, group string, mode uint32) {
	b.Helper()
	e := b.must(name)
	if e.UID != b.account("/etc/passwd", user) || e.GID != b.account("/etc/group", group) || e.Mode != mode {
		b.Errorf("%s is of %d:%d with mode %o; want %s:%s %o", name, e.UID, e.GID, e.Mode, user, group, mode)
	}
}

// effects are what Debian's means of configuring leave, each of one package.
var effects = map[string]func(*built){
	"the preinst of mariadb-server": func(b *built) {
		b.owned("/var/lib/mysql", "mysql", "mysql", 0o755)
	},
	"the postinst of ssl-cert": func(b *built) {
		b.owned("/etc/ssl/private", "root", "ssl-cert", 0o710)
	},
	"the trigger of install-info": func(b *built) {
		if !strings.Contains(b.read("/usr/share/info/dir"), "* Texinfo: (texinfo).") {
			b.Error("the directory of info pages has no Texinfo")
		}
	},
	"the diversions of vim-runtime": func(b *built) {
		dir := b.helpDirectory()
		b.has(dir+"/help.txt", `\*help\.txt\*.*`)
		b.has(dir+"/help.txt.vim-tiny", `.*vim-tiny.*`)
		diversion := dir + "/help.txt\n" + dir + "/help.txt.vim-tiny\nvim-runtime\n"
		if !strings.Contains("\n"+b.read("/var/lib/dpkg/diversions"), "\n"+diversion) {
			b.Errorf("dpkg knows nothing of %q", diversion)
		}
	},
	"the diversion of postgresql-common, of a file that is not there": func(b *built) {
		b.has("/var/lib/dpkg/diversions", "/usr/bin/pg_config.libpq-dev")
	},
	"the alternatives of vim": func(b *built) {
		for name, target := range map[string]string{"/usr/bin/vi": "/etc/alternatives/vi", "/etc/alternatives/vi": "/usr/bin/vim.basic"} {
			if e := b.must(name); e.Type != tree.Symlink || e.Target != target {
				b.Errorf("%s leads to %q, not %s", name, e.Target, target)
			}
		}
		b.has("/var/lib/dpkg/alternatives/vi", "/usr/bin/vim.tiny")
	},
	"the statoverride of chrony": func(b *built) {
		b.owned("/etc/chrony/chrony.keys", "root", "_chrony", 0o640)
		b.has("/var/lib/dpkg/statoverride", "root _chrony 640 /etc/chrony/chrony.keys")
	},
	"the conffile of logrotate": func(b *built) {
		sum := md5.Sum([]byte(b.read("/etc/logrotate.conf")))
		b.has("/var/lib/dpkg/status", " /etc/logrotate.conf "+hex.EncodeToString(sum[:]))
	},
	"the ucf of chrony": func(b *built) {
		sum := md5.Sum([]byte(b.read("/etc/chrony/chrony.conf")))
		b.has("/var/lib/ucf/hashfile", hex.EncodeToString(sum[:])+"  /etc/chrony/chrony.conf")
		b.has("/var/lib/ucf/registry", `chrony\s+/etc/chrony/chrony.conf`)
	},
	"the answers to postfix and slapd": func(b *built) {
		b.has("/etc/mailname", "server-large.example")
		b.has("/etc/postfix/main.cf", "inet_interfaces = loopback-only")
		if !regexp.MustCompile(`(?m)^Name: slapd/domain\nTemplate: slapd/domain\nValue: example.org$`).MatchString(b.read("/var/cache/debconf/config.dat")) {
			b.Error("debconf has forgotten what was answered to slapd")
		}
	},
	"the sysusers.d of polkitd": func(b *built) {
		b.has("/usr/lib/sysusers.d/polkit.conf", "u!? polkitd .*")
		b.has("/etc/passwd", "polkitd:x:[0-9]+:[0-9]+:.*")
		b.has("/etc/shadow", "polkitd:!.*")
	},
	"the tmpfiles.d of cron-daemon-common": func(b *built) {
		b.owned("/var/spool/cron/crontabs", "root", "crontab", 0o1730)
	},
	"the byte-compilation of python3-dbus": func(b *built) {
		const dir = "/usr/lib/python3/dist-packages/dbus/"
		code := b.read(dir + "__pycache__/bus.cpython-313.pyc")
		if len(code) < 16 {
			b.Fatal("the code is cut off")
		}
		// PEP 552: code that knows its source by a hash fits it at any time.
		if flags := binary.LittleEndian.Uint32([]byte(code[4:8])); flags != 0b11 {
			b.Errorf("the code has the flags %b", flags)
		}
		if !strings.Contains(code, dir+"bus.py") {
			b.Error("the code is not that of its source")
		}
	},
	"the font cache of fontconfig": func(b *built) {
		if !b.any("/var/cache/fontconfig", `-le64\.cache-[0-9]+$`) {
			b.Error("there is no cache of fonts")
		}
	},
	"the icon cache of hicolor-icon-theme": func(b *built) {
		b.must("/usr/share/icons/hicolor/icon-theme.cache")
	},
	"the MIME cache of shared-mime-info": func(b *built) {
		if cache := b.read("/usr/share/mime/mime.cache"); !strings.Contains(cache, "application/pdf") {
			b.Error("the cache of MIME types has no PDF")
		}
	},
	"the catalogue of xml-core": func(b *built) {
		b.has("/etc/xml/catalog", `.*xml-core\.xml.*`)
	},
	"the policy that nothing is started": func(b *built) {
		for _, name := range []string{"/usr/sbin/policy-rc.d", "/var/lib/mysql/ibdata1", "/var/lib/ldap/data.mdb", "/etc/postgresql/17", "/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/bind/rndc.key"} {
			if _, ok := b.entry(name); ok {
				b.Errorf("%s is in the image", name)
			}
		}
	},
}

// helpDirectory is where this version of vim has its help.
func (b *built) helpDirectory() string {
	for e := range b.trees["usr"].Below("/share/vim") {
		if strings.HasSuffix(e.Path, "/doc/help.txt") {
			return "/usr" + strings.TrimSuffix(e.Path, "/help.txt")
		}
	}
	b.Fatal("vim has no help")
	return ""
}

// any looks for a name below a directory.
func (b *built) any(dir, pattern string) bool {
	b.Helper()
	e := b.must(dir)
	if e.Type == tree.Symlink {
		dir = e.Target
	}
	name := regexp.MustCompile(pattern)
	for e := range b.trees["usr"].Below(strings.TrimPrefix(dir, "/usr")) {
		if name.MatchString(e.Path) {
			return true
		}
	}
	return false
}

func TestEffectsOfPackages(t *testing.T) {
	b := open(t, program.Example(t, "server-large"))
	for _, name := range slices.Sorted(maps.Keys(effects)) {
		t.Run(name, func(t *testing.T) {
			inner := *b
			inner.T = t
			effects[name](&inner)
		})
	}
}
