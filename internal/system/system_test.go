package system

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/store"
	"stet/internal/tree"
)

const epoch = 86400 * 20000

// root is a configured root in miniature.
var root = map[string]string{
	"/etc/passwd":                                         "root:x:0:0:root:/root:/bin/bash\n",
	"/etc/group":                                          "root:x:0:\nsudo:x:27:\n",
	"/etc/shadow":                                         "root:*:19999:0:99999:7:::\n",
	"/etc/gshadow":                                        "root:*::\nsudo:*::\n",
	"/etc/skel/.profile":                                  "PS1=x\n",
	"/etc/motd":                                           "Debian\n",
	"/etc/localtime":                                      ">/usr/share/zoneinfo/Etc/UTC",
	"/usr/share/zoneinfo/Europe/Berlin":                   "TZif",
	"/usr/share/i18n/locales/en_GB":                       "comment_char\n",
	"/usr/lib/systemd/system/web.service":                 "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\nAlias=www.service\nAlso=web.socket\n",
	"/usr/lib/systemd/system/web.socket":                  "[Install]\nWantedBy=sockets.target\n",
	"/usr/lib/systemd/system/plain.service":               "[Service]\nExecStart=/bin/true\n",
	"/usr/lib/systemd/system/daily.timer":                 "[Install]\nWantedBy=timers.target\n",
	"/etc/systemd/system/timers.target.wants/daily.timer": ">/usr/lib/systemd/system/daily.timer",
	"/etc/systemd/system/alias.timer":                     ">/lib/systemd/system/daily.timer",
	"/boot/vmlinuz-6.12.9":                                "old kernel",
	"/boot/vmlinuz-6.12.10":                               "kernel",
	"/usr/lib/modules/6.12.10/modules.dep":                "",
	"/usr/lib/modules/6.12.10/modules.alias":              "",
	"/usr/lib/modules/6.12.10/modules.builtin":            "kernel/drivers/virtio/virtio_pci.ko\nkernel/drivers/block/virtio_blk.ko\nkernel/fs/ext4/ext4.ko\nkernel/fs/erofs/erofs.ko\nkernel/fs/overlayfs/overlay.ko\n",
	"/opt/tool/bin/tool":                                  "tool",
	"/usr/local/bin/mine":                                 "mine",
	"/var/lib/dpkg/status":                                "Package: x\n",
	"/var/lib/dpkg/info/openssh-server.list":              "/.\n",
	"/var/lib/app/seed":                                   "seed",
	"/var/run":                                            ">/run",
	"/usr/bin/sh":                                         "sh",
}

var ids = lock.IDs{
	Users:  map[string]lock.User{"root": {}, "ada": {UID: 1000, GID: 1000, Kind: lock.Human}, "app": {UID: 999, GID: 27}},
	Groups: map[string]int{"root": 0, "sudo": 27, "ada": 1000, "team": 2000},
}

type fixture struct {
	*testing.T
	store *store.Store
	root  *tree.Tree
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := tree.NewBuilder()
	for name, text := range root {
		b.MakeParents(name, tree.Time{Sec: epoch})
		e := tree.Entry{Path: name, Type: tree.Regular, Mode: 0o644}
		if target, ok := strings.CutPrefix(text, ">"); ok {
			e = tree.Entry{Path: name, Type: tree.Symlink, Mode: 0o777, Target: target}
		} else if e.Digest, err = s.PutBytes([]byte(text)); err != nil {
			t.Fatal(err)
		} else {
			e.Size = int64(len(text))
		}
		b.Put(e)
	}
	made, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{t, s, made}
}

func (f *fixture) compose(m *machine.Machine) (*tree.Tree, error) {
	f.Helper()
	m.Name = "m"
	if m.Timezone == "" {
		m.Timezone = "Etc/UTC"
	}
	if m.Locale == "" {
		m.Locale = defaultLocale
	}
	return Compose(f.store, Input{
		Machine: m, Rootfs: f.root, IDs: ids, Epoch: epoch,
		Sources: fstest.MapFS{"page.html": {Data: []byte("<p>")}},
	})
}

func (f *fixture) must(m *machine.Machine) *tree.Tree {
	f.Helper()
	made, err := f.compose(m)
	if err != nil {
		f.Fatal(err)
	}
	return made
}

// at gives the content of a file, ">target" of a link, "/" of a directory.
func (f *fixture) at(t *tree.Tree, name string) string {
	f.Helper()
	e, ok := t.Lookup(name)
	switch {
	case !ok:
		return "missing"
	case e.Type == tree.Symlink:
		return ">" + e.Target
	case e.Type == tree.Directory:
		return "/"
	}
	data, err := f.store.ReadObject(e.Digest)
	if err != nil {
		f.Fatal(err)
	}
	return string(data)
}

func (f *fixture) expect(t *tree.Tree, want map[string]string) {
	f.Helper()
	for name, content := range want {
		if have := f.at(t, name); have != content {
			f.Errorf("%s: have %q, want %q", name, have, content)
		}
	}
}

func yes() *bool { b := true; return &b }
func no() *bool  { b := false; return &b }

func TestAccountsAreAdded(t *testing.T) {
	f := newFixture(t)
	made := f.must(&machine.Machine{
		Users: map[string]machine.User{
			"ada": {Groups: []string{"sudo", "team"}, Description: "Ada", Home: "/home/ada", Shell: "/bin/bash"},
			"app": {Group: "sudo", System: true, Home: "/nonexistent", Shell: "/usr/sbin/nologin"},
		},
		Groups: map[string]machine.Group{"team": {}},
	})
	f.expect(made, map[string]string{
		"/etc/passwd":        "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/bash\napp:x:999:27::/nonexistent:/usr/sbin/nologin\n",
		"/etc/group":         "root:x:0:\nsudo:x:27:ada\nteam:x:2000:ada\nada:x:1000:\n",
		"/etc/shadow":        "root:*:19999:0:99999:7:::\nada:!:20000:0:99999:7:::\napp:!:20000:0:99999:7:::\n",
		"/home/ada/.profile": "PS1=x\n",
		"/nonexistent":       "missing",
	})
	home, _ := made.Lookup("/home/ada")
	if home.UID != 1000 || home.GID != 1000 || home.Mode != 0o700 {
		t.Errorf("the home is %+v", home)
	}
}

func TestFilesAreLaidOver(t *testing.T) {
	f := newFixture(t)
	made := f.must(&machine.Machine{Files: map[string]machine.File{
		"/etc/motd":      {Kind: machine.FileText, Text: "mine\n", Mode: 0o600, User: "ada", Group: "sudo"},
		"/srv/page":      {Kind: machine.FileSource, Source: "page.html", Mode: 0o644, User: "root", Group: "root"},
		"/etc/x/link":    {Kind: machine.FileLink, Link: "../motd"},
		"/etc/skel":      {Kind: machine.FileAbsent},
		"/srv/directory": {Kind: machine.FileDirectory, Mode: 0o2775, User: "root", Group: "sudo"},
	}})
	f.expect(made, map[string]string{
		"/etc/motd": "mine\n", "/srv/page": "<p>", "/etc/x/link": ">../motd", "/etc/skel": "missing", "/etc/skel/.profile": "missing", "/srv/directory": "/",
	})
	motd, _ := made.Lookup("/etc/motd")
	if motd.Mode != 0o600 || motd.UID != 1000 || motd.GID != 27 || motd.Mtime.Sec != epoch {
		t.Errorf("motd is %+v", motd)
	}
}

func TestUnitsAreWrittenAndEnabled(t *testing.T) {
	f := newFixture(t)
	made := f.must(&machine.Machine{Units: map[string]machine.Unit{
		"web.service":     {Enable: yes(), DropIns: map[string]string{"10-x": "[Service]\nNice=1\n"}},
		"daily.timer":     {Enable: no()},
		"missing.timer":   {Enable: no()},
		"own.service":     {Enable: yes(), Text: "[Service]\nExecStart=/bin/true\n[Install]\nRequiredBy=web.service\n"},
		"unwanted.socket": {Mask: true},
	}})
	const etc = "/etc/systemd/system/"
	f.expect(made, map[string]string{
		etc + "multi-user.target.wants/web.service": ">/usr/lib/systemd/system/web.service",
		etc + "sockets.target.wants/web.socket":     ">/usr/lib/systemd/system/web.socket",
		etc + "www.service":                         ">/usr/lib/systemd/system/web.service",
		etc + "web.service.d/10-x.conf":             "[Service]\nNice=1\n",
		etc + "timers.target.wants/daily.timer":     "missing",
		etc + "web.service.requires/own.service":    ">" + etc + "own.service",
		etc + "unwanted.socket":                     ">/dev/null",
	})
}

func TestAnAliasThroughLibIsFollowed(t *testing.T) {
	f := newFixture(t)
	made := f.must(&machine.Machine{Units: map[string]machine.Unit{"alias.timer": {Enable: yes()}}})
	f.expect(made, map[string]string{"/etc/systemd/system/timers.target.wants/alias.timer": ">/usr/lib/systemd/system/daily.timer"})
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for problem, m := range map[string]*machine.Machine{
		"no package ships nothing.service":    {Units: map[string]machine.Unit{"nothing.service": {Enable: yes()}}},
		"has no [Install] section":            {Units: map[string]machine.Unit{"plain.service": {Enable: yes()}}},
		"is no assignment":                    {Units: map[string]machine.Unit{"bad.service": {Text: "[Service]\nnonsense\n"}}},
		"there is no user bob":                {Files: map[string]machine.File{"/etc/x": {Kind: machine.FileText, User: "bob", Group: "root"}}},
		"no zone of the package tzdata":       {Timezone: "Mars/Olympus"},
		"is a file there, not a directory":    {Files: map[string]machine.File{"/etc/motd/x": {Kind: machine.FileText, User: "root", Group: "root"}}},
		"is a symlink there, not a directory": {Files: map[string]machine.File{"/var/run/x": {Kind: machine.FileText, User: "root", Group: "root"}}},
		"cannot take its place":               {Files: map[string]machine.File{"/etc/skel": {Kind: machine.FileText, User: "root", Group: "root"}}},
		"there is no group nobody-there":      {Users: map[string]machine.User{"ada": {Groups: []string{"nobody-there"}, Home: "/home/ada"}}},
		"read its source":                     {Files: map[string]machine.File{"/etc/x": {Kind: machine.FileSource, Source: "none", User: "root", Group: "root"}}},
	} {
		f := newFixture(t)
		if _, err := f.compose(m); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: have %v", problem, err)
		}
	}
}

func TestSplitGivesEveryPathItsPlace(t *testing.T) {
	f := newFixture(t)
	m := &machine.Machine{
		Timezone: "Europe/Berlin",
		Persist:  []string{"/etc/keep"},
		Sysctl:   map[string]string{"b": "2", "a": "1"},
		Users:    map[string]machine.User{"ada": {Home: "/home/ada", Shell: "/bin/sh"}},
		Files: map[string]machine.File{
			"/srv/page":    {Kind: machine.FileText, Text: "page", Mode: 0o644, User: "root", Group: "root"},
			"/srv/a/up":    {Kind: machine.FileLink, Link: "../page"},
			"/srv/uploads": {Kind: machine.FileDirectory, Mode: 0o755, User: "root", Group: "root"},
			// Beside the packages, and in a directory that a package has.
			"/usr/local/bin/own":   {Kind: machine.FileText, Text: "own", Mode: 0o755, User: "root", Group: "root"},
			"/usr/local/lib/a/up":  {Kind: machine.FileLink, Link: "../../bin/own"},
			"/usr/local/share/own": {Kind: machine.FileDirectory, Mode: 0o755, User: "root", Group: "root"},
			"/opt/own/bin/own":     {Kind: machine.FileText, Text: "own", Mode: 0o755, User: "root", Group: "root"},
			"/opt/tool/etc/own":    {Kind: machine.FileText, Text: "own", Mode: 0o755, User: "root", Group: "root"},
		},
	}
	trees, err := Split(m, f.must(m), epoch)
	if err != nil {
		t.Fatal(err)
	}
	f.expect(trees.Usr, map[string]string{
		"/local":                         ">../var/usrlocal",
		"/bin/stet":                      ">/run/stet/bin/stet",
		"/lib/stet/boot/vmlinuz-6.12.10": "kernel",
		"/lib/sysimage/dpkg/status":      "Package: x\n",
		"/lib/stet/files/srv/page":       "page",
		"/lib/stet/files/srv/a/up":       ">/srv/page",
		"/lib/opt/tool/bin/tool":         "tool",
		"/lib/opt/tool/etc/own":          "own",
		"/lib/opt/own":                   "missing",

		"/lib/stet/files/opt/own/bin/own":     "own",
		"/lib/stet/files/usr/local/bin/own":   "own",
		"/lib/stet/files/usr/local/lib/a/up":  ">/usr/local/bin/own",
		"/lib/stet/files/usr/local/share/own": "missing",
		"/lib/modules":                        "/",
		"/lib/modules/6.12.10":                "missing",
		"/lib/stet/state.json":                `{"format":1,"persist":["/etc/keep","/etc/ssh/ssh_host_*_key","/etc/ssh/ssh_host_*_key.pub"],"users":{"ada":["password"],"root":["password"]}}` + "\n",
		"/share/zoneinfo/Europe/Berlin":       "TZif",
	})
	f.expect(trees.Modules, map[string]string{"/lib/modules": "/", "/lib/modules/6.12.10/modules.dep": "", "/lib/modules/6.12.10/modules.alias": ""})
	f.expect(trees.Etc, map[string]string{
		"/localtime": ">/usr/share/zoneinfo/Europe/Berlin", "/timezone": "Europe/Berlin\n", "/sysctl.d/99-stet.conf": "a = 1\nb = 2\n",
	})
	f.expect(trees.Var, map[string]string{
		"/var/lib/dpkg":           ">/usr/lib/sysimage/dpkg",
		"/var/lib/app/seed":       "seed",
		"/var/run":                ">/run",
		"/var/usrlocal/bin/mine":  "mine",
		"/srv/page":               ">/usr/lib/stet/files/srv/page",
		"/srv/a/up":               ">/usr/lib/stet/files/srv/a/up",
		"/srv/uploads":            "/",
		"/opt/tool":               ">/usr/lib/opt/tool",
		"/opt/own/bin/own":        ">/usr/lib/stet/files/opt/own/bin/own",
		"/var/usrlocal/bin/own":   ">/usr/lib/stet/files/usr/local/bin/own",
		"/var/usrlocal/lib/a/up":  ">/usr/lib/stet/files/usr/local/lib/a/up",
		"/var/usrlocal/share/own": "/",
		"/home/ada":               "/",
	})
}

func TestIdentityUnitIsThereWithItsPackage(t *testing.T) {
	f := newFixture(t)
	made := f.must(&machine.Machine{})
	text := f.at(made, "/usr/lib/systemd/system/stet-identity.service")
	for _, line := range []string{"ConditionFileNotEmpty=|!/etc/ssh/ssh_host_ed25519_key\n", "ssh-keygen -A", "Before=basic.target"} {
		if !strings.Contains(text, line) {
			t.Errorf("the unit lacks %q:\n%s", line, text)
		}
	}
	f.expect(made, map[string]string{"/usr/lib/systemd/system/basic.target.wants/stet-identity.service": ">../stet-identity.service"})
}

func TestManifestNamesTheNewestKernelAndComesOutTheSame(t *testing.T) {
	f := newFixture(t)
	m := &machine.Machine{Kernel: machine.Kernel{Parameters: []string{"console=ttyS0", "quiet"}}}
	digests := map[string]bool{}
	for range 2 {
		trees, err := Split(m, f.must(m), epoch)
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := Make(f.store, m, trees, []byte("init"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if manifest.KernelVersion != "6.12.10" || manifest.CommandLine != "console=ttyS0 quiet" {
			t.Errorf("have %+v", manifest)
		}
		text, err := manifest.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseManifest(text)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := again.Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests[digest] = true
	}
	if len(digests) != 1 {
		t.Errorf("one machine has the digests %v", digests)
	}
}

func TestImagesAndInitrdAreObserved(t *testing.T) {
	f := newFixture(t)
	m := &machine.Machine{}
	trees, err := Split(m, f.must(m), epoch)
	if err != nil {
		t.Fatal(err)
	}
	// make says what was made, and what was reused.
	make := func(init string) (manifest *Manifest, told map[string]string) {
		told = map[string]string{}
		var mu sync.Mutex
		manifest, err := Make(f.store, m, trees, []byte(init), func(s graph.Step) func(graph.Outcome) {
			return func(made graph.Outcome) {
				mu.Lock()
				defer mu.Unlock()
				told[s.String()] = made.Result
				if made.Reused {
					told[s.String()] = "reused"
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return manifest, told
	}
	expect := func(what string, told, want map[string]string) {
		t.Helper()
		if !maps.Equal(told, want) {
			t.Errorf("%s: told was %v, want %v", what, told, want)
		}
	}
	manifest, told := make("init")
	want := map[string]string{"initrd": manifest.Initrd.String()}
	for name, digest := range manifest.Images {
		want["image "+name] = digest.String()
	}
	expect("at first", told, want)

	reused := map[string]string{"initrd": "reused", "image usr": "reused", "image etc": "reused", "image modules": "reused", "image var": "reused"}
	again, told := make("init")
	expect("nothing changed", told, reused)
	if !reflect.DeepEqual(again, manifest) {
		t.Errorf("what is reused is %+v, and was %+v", again, manifest)
	}

	other, told := make("another init")
	want = maps.Clone(reused)
	want["initrd"] = other.Initrd.String()
	expect("another init", told, want)
	if other.Initrd == manifest.Initrd {
		t.Error("another init is in the same initrd")
	}

	if err := errors.Join(os.Remove(f.store.ImagePath(manifest.Images["etc"])), os.Truncate(f.store.ObjectPath(manifest.Initrd), 1)); err != nil {
		t.Fatal(err)
	}
	_, told = make("init")
	want = maps.Clone(reused)
	want["image etc"], want["initrd"] = manifest.Images["etc"].String(), manifest.Initrd.String()
	expect("an image is gone and an initrd cut off", told, want)
}

func TestFinishersRunOnlyWhenAnInputChanged(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		m    *machine.Machine
		want string
	}{
		"nothing declared": {&machine.Machine{}, ""},
		"a library path":   {&machine.Machine{Files: map[string]machine.File{"/etc/ld.so.conf.d/x.conf": {Kind: machine.FileText, Text: "/opt/lib\n", User: "root", Group: "root"}}}, "library cache"},
		"a locale":         {&machine.Machine{Locale: "en_GB.UTF-8"}, "locale"},
		"another file":     {&machine.Machine{Files: map[string]machine.File{"/etc/motd": {Kind: machine.FileText, Text: "x", User: "root", Group: "root"}}}, ""},
	} {
		composed := f.must(c.m)
		list, err := Finishers(c.m, f.root, composed)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, finisher := range list {
			have = append(have, finisher.Name)
		}
		if strings.Join(have, " ") != c.want {
			t.Errorf("%s: have %v", name, have)
		}
	}
	m := &machine.Machine{Locale: "xx_XX.UTF-8"}
	if _, err := Finishers(m, f.root, f.must(m)); err == nil || !strings.Contains(err.Error(), "no definition xx_XX") {
		t.Errorf("an unknown locale: %v", err)
	}
}

func TestApplyTakesTheOutputsAndNothingElse(t *testing.T) {
	f := newFixture(t)
	composed := f.must(&machine.Machine{})
	b := tree.NewBuilder(composed)
	b.Put(tree.Entry{Path: "/etc/ld.so.cache", Type: tree.Regular, Mode: 0o644})
	b.Put(tree.Entry{Path: "/etc/stray", Type: tree.Regular, Mode: 0o644})
	ran, err := b.Tree()
	if err != nil {
		t.Fatal(err)
	}
	finisher := finishers[0]
	outputs, err := finisher.Extract(ran)
	if err != nil {
		t.Fatal(err)
	}
	applied, err := finisher.Apply(composed, outputs)
	if err != nil {
		t.Fatal(err)
	}
	f.expect(applied, map[string]string{"/etc/ld.so.cache": "", "/etc/stray": "missing", "/etc/motd": "Debian\n"})
}
