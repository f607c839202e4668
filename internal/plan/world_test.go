package plan

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"

	"stet/internal/tree"
	"stet/internal/verity"
)

// world is a store in memory.
type world struct {
	trees   map[string]*tree.Tree
	objects map[verity.Digest][]byte
	reads   int // of trees
}

func newWorld() *world {
	return &world{trees: map[string]*tree.Tree{}, objects: map[verity.Digest][]byte{}}
}

func (w *world) Tree(digest string) (*tree.Tree, error) {
	w.reads++
	if t, ok := w.trees[digest]; ok {
		return t, nil
	}
	return nil, fmt.Errorf("no tree %s", digest)
}

func (w *world) Files(digest string) (tree.Files, error) {
	t, err := w.Tree(digest)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (w *world) ReadObject(d verity.Digest) ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	if data, ok := w.objects[d]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("no object %s", d)
}

// spec is a system's files: paths of the machine below /usr, /etc and
// /lib/modules to texts. "->x" is a symlink, and "0600:x" has another mode.
type spec map[string]string

// with gives a spec with other files; an empty text takes one away.
func (s spec) with(pairs ...string) spec {
	out := maps.Clone(s)
	for i := 0; i < len(pairs); i += 2 {
		if out[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(out, pairs[i])
		}
	}
	return out
}

// system puts trees of the files into the store. The kernel is "/usr/lib/stet/boot/vmlinuz".
func (w *world) system(t testing.TB, s spec) System {
	t.Helper()
	builders := map[string]*tree.Builder{}
	for _, name := range treeNames {
		builders[name] = tree.NewBuilder()
		builders[name].Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		top, rest, _ := strings.Cut(name[1:], "/")
		if strings.HasPrefix(name, "/lib/modules") {
			top, rest = modulesTree, name[1:]
		}
		e := tree.Entry{Path: "/" + rest, Type: tree.Regular, Mode: 0o644}
		text := s[name]
		if target, ok := strings.CutPrefix(text, "->"); ok {
			e.Type, e.Mode, e.Target = tree.Symlink, 0o777, target
		} else {
			if hidden, ok := strings.CutPrefix(text, "0600:"); ok {
				e.Mode, text = 0o600, hidden
			}
			e.Size = int64(len(text))
			if e.Size > 0 {
				e.Digest = verity.Sum([]byte(text))
				w.objects[e.Digest] = []byte(text)
			}
		}
		builders[top].MakeParents(e.Path, tree.Time{})
		builders[top].Put(e)
	}
	out := System{Machine: "m", Trees: map[string]string{}, KernelVersion: "6.12.1", CommandLine: "quiet"}
	var all []string
	for _, name := range treeNames {
		made, err := builders[name].Tree()
		if err != nil {
			t.Fatal(err)
		}
		out.Trees[name] = made.Digest()
		w.trees[made.Digest()] = made
		all = append(all, made.Digest())
	}
	out.Digest = verity.Sum([]byte(strings.Join(all, ""))).String()
	out.Kernel = Blob{verity.Sum([]byte(s["/usr/lib/stet/boot/vmlinuz"])), 8 << 20}
	out.Initrd = Blob{verity.Sum([]byte("initrd")), 3 << 20}
	return out
}

const (
	lib = "/usr/lib/systemd/system/"
	etc = "/etc/systemd/system/"
)

// base is a small server.
func base() spec {
	s := spec{
		"/usr/lib/stet/boot/vmlinuz":                "kernel 1",
		"/lib/modules/6.12.1/a.ko":                  "module",
		"/usr/lib/x86_64-linux-gnu/libc.so.6":       "libc 1",
		"/usr/lib/x86_64-linux-gnu/libssl.so.3":     "libssl 1",
		"/usr/lib/systemd/systemd":                  "systemd 1",
		"/usr/bin/systemd-tmpfiles":                 "tmpfiles",
		"/etc/passwd":                               "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n",
		"/etc/group":                                "root:x:0:\nsudo:x:27:ada\nada:x:1000:\n",
		"/etc/shadow":                               "0600:root:*:1::::::\n",
		"/etc/fstab":                                "# nothing\n",
		"/etc/motd":                                 "hello\n",
		lib + "multi-user.target":                   "[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n",
		lib + "basic.target":                        "[Unit]\nWants=sockets.target timers.target\n",
		lib + "sockets.target":                      "[Unit]\nDescription=Sockets\n",
		lib + "timers.target":                       "[Unit]\nDescription=Timers\n",
		lib + "graphical.target":                    "[Unit]\nRequires=multi-user.target\n",
		lib + "dbus.service":                        "[Unit]\nRequires=dbus.socket\n[Service]\nExecStart=@/usr/bin/dbus-daemon @dbus-daemon --system\nExecReload=/usr/bin/busctl call\n",
		lib + "dbus.socket":                         "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
		lib + "sockets.target.wants/dbus.socket":    "->../dbus.socket",
		"/usr/bin/dbus-daemon":                      "dbus 1",
		lib + "systemd-logind.service":              "[Unit]\nWants=dbus.socket\nAfter=dbus.socket\n[Service]\nExecStart=/usr/lib/systemd/systemd-logind\nProtectKernelModules=yes\n",
		"/usr/lib/systemd/systemd-logind":           "logind 1",
		lib + "web.service":                         "[Unit]\nDescription=Web\nX-Reload-Triggers=/etc/web\n[Service]\nExecStart=/usr/sbin/web -D\nExecReload=/usr/sbin/web -s reload\n[Install]\nWantedBy=multi-user.target\n",
		"/usr/sbin/web":                             "web 1",
		"/etc/web/web.conf":                         "root /srv/www;\n",
		"/usr/lib/stet/files/srv/www/index.html":    "<p>one</p>\n",
		etc + "multi-user.target.wants/web.service": "->/usr/lib/systemd/system/web.service",
		databaseInfo + "web.list":                   "/usr/sbin/web\n/lib/systemd/system/web.service\n",
		databaseInfo + "guard.list":                 "/usr/bin/guard\n/usr/lib/python3/guard.py\n/usr/share/doc/guard/NEWS\n",
		"/usr/bin/guard":                            "#!/usr/bin/python3\nimport guard\n",
		"/usr/bin/python3.13":                       "python 1",
		"/usr/lib/python3/guard.py":                 "guard 1",
		"/usr/share/doc/guard/NEWS":                 "1\n",
	}
	s[databaseStatus] = status("dbus 1.16", "guard 1.0", "libc6 2.41", "libssl3t64 3.5.1", "systemd 257.13", "web 1.26")
	return s
}

const (
	databaseInfo   = "/usr" + databasePlace + "/info/"
	databaseStatus = "/usr" + databasePlace + "/status"
)

// status writes dpkg's database of "name version" words.
func status(packages ...string) string {
	var out strings.Builder
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		same := ""
		if strings.HasPrefix(name, "lib") {
			same = "Multi-Arch: same\n"
		}
		fmt.Fprintf(&out, "Package: %s\nStatus: install ok installed\nArchitecture: amd64\n%sVersion: %s\n\n", name, same, version)
	}
	return out.String()
}

// facts are those of a machine that runs a system and these units. A service
// "a.service" has mapped the program that its file names, and libc.
func (w *world) facts(s System, units ...RunningUnit) *Facts {
	all := []RunningUnit{}
	for _, name := range []string{"multi-user.target", "basic.target", "sockets.target", "timers.target"} {
		all = append(all, RunningUnit{Name: name, Active: "active"})
	}
	return &Facts{
		Format: Format, Booted: Booted{s.Kernel.Digest, s.KernelVersion, s.CommandLine},
		Managers: []RunningManager{{Maps: w.maps(s, "/usr/lib/systemd/systemd"), Units: append(all, units...)}},
		ESP:      &ESPFacts{Free: 100 << 20, Has: []verity.Digest{s.Kernel.Digest, s.Initrd.Digest}},
		Disk:     DiskFacts{Free: 1 << 30, Inodes: 1 << 20},
	}
}

func (w *world) maps(s System, names ...string) []Maps {
	return []Maps{{s.Trees[usrTree], append(names, "/usr/lib/x86_64-linux-gnu/libc.so.6")}}
}

// active is a unit that runs; with programs, it has mapped them.
func (w *world) active(s System, name string, programs ...string) RunningUnit {
	u := RunningUnit{Name: name, Active: "active", Fragment: lib + name}
	if len(programs) > 0 {
		u.Maps = w.maps(s, programs...)
	}
	return u
}

// make makes a plan and holds it to what every plan has.
func (w *world) make(t testing.TB, old, next System, facts *Facts) *Plan {
	t.Helper()
	p, err := Make(w, old, next, facts)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), ":null") {
		t.Errorf("a list is null: %s", text)
	}
	again, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := again.Text(); string(second) != string(text) {
		t.Errorf("a plan read again is another:\n%s%s", text, second)
	}
	return p
}

// actions writes what is done to units, in their order.
func actions(p *Plan) string {
	var out []string
	for _, u := range p.Units {
		name := u.Name
		if u.User != "" {
			name = u.User + "/" + name
		}
		line := string(u.Action) + " " + name
		for _, r := range u.Reasons {
			line += strings.TrimRight(fmt.Sprintf(" (%s %s", r.Why, r.What), " ") + ")"
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func short(p *Plan) string {
	var out []string
	for _, u := range p.Units {
		out = append(out, string(u.Action)+" "+path.Base(u.Name))
	}
	return strings.Join(out, ", ")
}
