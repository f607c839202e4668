package drift

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
	"stet/internal/tree"
	"stet/internal/verity"
)

// world is a store in memory.
type world struct {
	trees   map[string]*tree.Tree
	objects map[verity.Digest][]byte
}

func (w *world) Tree(digest string) (*tree.Tree, error) {
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
	if data, ok := w.objects[d]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("no object %s", d)
}

// system puts a system into the store, of files of /etc and /usr.
func (w *world) system(t *testing.T, files map[string]string) plan.System {
	t.Helper()
	s := plan.System{Digest: strings.Repeat("a", 64), Machine: "web", Trees: map[string]string{}, CommandLine: "quiet"}
	for _, name := range []string{"etc", "modules", "usr", "var"} {
		b := tree.NewBuilder()
		b.Put(tree.Entry{Path: "/", Type: tree.Directory, Mode: 0o755})
		for at, text := range files {
			below, ok := strings.CutPrefix(at, "/"+name)
			if !ok {
				continue
			}
			e := tree.Entry{Path: below, Type: tree.Regular, Mode: 0o644, Size: int64(len(text)), Digest: verity.Sum([]byte(text))}
			w.objects[e.Digest] = []byte(text)
			b.MakeParents(e.Path, tree.Time{})
			b.Put(e)
		}
		made, err := b.Tree()
		if err != nil {
			t.Fatal(err)
		}
		s.Trees[name] = made.Digest()
		w.trees[made.Digest()] = made
	}
	return s
}

const (
	passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n"
	group  = "root:x:0:\nsudo:x:27:ada\nada:x:1000:\n"
)

// declared is a machine's files.
var declared = map[string]string{
	"/etc/passwd":                                       passwd,
	"/etc/group":                                        group,
	"/etc/motd":                                         "declared\n",
	"/etc/sysctl.d/50-stet.conf":                        "net.ipv4.ip_forward = 1\nkernel.sysrq=0x01b6\nnet.ipv4.tcp_rmem = 4096 131072 6291456\nnet.ipv4.conf.*.rp_filter = 2\nno.such.variable = 1\n",
	"/usr/lib/systemd/system/a.service":                 "[Service]\nExecStart=/usr/bin/a\n",
	"/usr/lib/systemd/system/tmp.mount":                 "[Mount]\nWhat=tmpfs\nWhere=/tmp\n",
	"/usr/lib/systemd/system/ssh@.service":              "[Service]\nExecStart=/usr/sbin/sshd -i\n",
	"/etc/xdg/autostart/org.kde.connect-daemon.desktop": "[Desktop Entry]\n",
	"/usr/lib/systemd/user/sync.service":                "[Service]\nExecStart=/usr/bin/sync\n",
}

// asDeclared is what is seen of a machine that nobody touched.
func asDeclared() *Seen {
	return &Seen{
		Facts: &plan.Facts{
			Format: plan.Format, Booted: plan.Booted{CommandLine: "quiet"},
			Managers: []plan.RunningManager{{Units: []plan.RunningUnit{{Name: "a.service", Active: "active"}}}},
		},
		Passwd: passwd, Group: group, CommandLine: "quiet stet.system=aaaa initrd=\\stet\\x panic=30 systemd.crash_action=reboot",
		Variables: map[string]string{"net.ipv4.ip_forward": "1", "kernel.sysrq": "438", "net.ipv4.tcp_rmem": "4096 131072 6291456"},
	}
}

func TestWhatDiffersIsFound(t *testing.T) {
	text := "changed\n"
	etc := func(d plan.Drifted) func(*Seen) {
		return func(s *Seen) { s.Facts.Drift = append(s.Facts.Drift, d) }
	}
	for name, c := range map[string]struct {
		happens func(*Seen)
		want    []string
	}{
		"nothing": {func(*Seen) {}, nil},
		"a file is changed": {
			etc(plan.Drifted{Path: "/etc/motd", Change: plan.Modified, Type: "file", Mode: 0o600, Size: 8, Digest: verity.Sum([]byte(text)), Text: &text}),
			[]string{"modified file /etc/motd: mode 0600, declared 0644 [puts it back]"},
		},
		"a file is added": {etc(plan.Drifted{Path: "/etc/new", Change: plan.Added, Type: "file", Mode: 0o644}), []string{"added file /etc/new:  [removes it]"}},
		"a link is added": {etc(plan.Drifted{Path: "/etc/new", Change: plan.Added, Type: tree.Symlink.String(), Target: "/srv"}), []string{"added file /etc/new: leads to /srv [removes it]"}},
		"a directory is added, with a file": {
			func(s *Seen) {
				s.Facts.Drift = []plan.Drifted{
					{Path: "/etc/empty", Change: plan.Added, Type: "directory", Mode: 0o755},
					{Path: "/etc/new", Change: plan.Added, Type: "directory", Mode: 0o755}, {Path: "/etc/new/file", Change: plan.Added, Type: "file", Mode: 0o644},
				}
			},
			[]string{"added file /etc/empty: is a directory [removes it]", "added file /etc/new/file:  [removes it]"},
		},
		"a file has an attribute": {
			etc(plan.Drifted{Path: "/etc/new", Change: plan.Added, Type: "file", Mode: 0o644, Attributes: []string{"system.posix_acl_access", "user.note"}}),
			[]string{"added file /etc/new: with other attributes: system.posix_acl_access, user.note [removes it]"},
		},
		"a file is removed":     {etc(plan.Drifted{Path: "/etc/motd", Change: plan.Deleted}), []string{"deleted file /etc/motd:  [puts it back]"}},
		"a file is to be kept":  {etc(plan.Drifted{Path: "/etc/machine-id", Change: plan.Modified, Type: "file", Persisted: true}), nil},
		"an old copy of shadow": {etc(plan.Drifted{Path: "/etc/shadow-", Change: plan.Added, Type: "file"}), nil},
		"a unit is enabled": {
			etc(plan.Drifted{Path: "/etc/systemd/system/multi-user.target.wants/a.service", Change: plan.Added, Type: tree.Symlink.String(), Target: "/usr/lib/systemd/system/a.service"}),
			[]string{"modified unit a.service: is enabled: multi-user.target wants it [disables it]"},
		},
		"a unit is disabled": {
			etc(plan.Drifted{Path: "/etc/systemd/system/multi-user.target.wants/a.service", Change: plan.Deleted}),
			[]string{"modified unit a.service: is disabled: multi-user.target no longer wants it [enables it]"},
		},
		"a unit is masked": {
			etc(plan.Drifted{Path: "/etc/systemd/system/a.service", Change: plan.Added, Type: tree.Symlink.String(), Target: "/dev/null"}),
			[]string{"modified unit a.service: is masked [unmasks it]"},
		},
		"a unit failed": {func(s *Seen) { s.Facts.Managers[0].Units[0].Active = "failed" }, []string{"modified unit a.service: has failed [starts it again]"}},
		"a service that nobody wrote down": {
			func(s *Seen) {
				for _, name := range []string{"run-u1.service", "session-1.scope", "stet-revert.timer"} {
					s.Facts.Managers[0].Units = append(s.Facts.Managers[0].Units, plan.RunningUnit{Name: name, Active: "active", Fragment: transient + name})
				}
			},
			[]string{"added unit run-u1.service: runs, and is written down nowhere [stops it]"},
		},
		"a user is added, one changed, one removed": {
			func(s *Seen) {
				s.Passwd = "root:x:0:0:root:/root:/bin/sh\nintruder:x:1001:1001::/home/intruder:/bin/sh\n"
			},
			[]string{
				"added user intruder: uid 1001, home /home/intruder [removes the account; its files stay]",
				"modified user root: shell /bin/sh, declared /bin/bash [puts back what is declared]",
				"deleted user ada:  [puts the account back]",
			},
		},
		"a user is added who may do everything": {
			func(s *Seen) {
				s.Passwd += "eve:x:1001:1001::/home/eve:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n"
				s.Group = "root:x:0:\nsudo:x:27:ada,eve\nada:x:1000:\neve:x:1001:\n"
			},
			[]string{
				"added user eve: uid 1001, home /home/eve, in sudo [removes the account; its files stay]",
				"added user toor: uid 0, home /root, in root [removes the account; its files stay]",
				"modified group sudo: has eve, too [puts back what is declared]",
				"added group eve: gid 1001 [removes it]",
			},
		},
		"a password is another": {func(s *Seen) { s.Passwords = []string{"ada"} }, []string{"modified user ada: another password [puts back the declared password]"}},
		"groups": {
			func(s *Seen) { s.Group = "root:x:0:\nsudo:x:27:eve\nada:x:1001:\nnew:x:1002:\nwww:x:1003:eve\n" },
			[]string{
				"added group www: gid 1003, has eve [removes it]",
				"modified group ada: gid 1001, declared 1000 [puts back what is declared]",
				"modified group sudo: has eve, too; lacks ada [puts back what is declared]",
				"added group new: gid 1002 [removes it]",
			},
		},
		"a kernel variable": {
			func(s *Seen) { s.Variables["net.ipv4.ip_forward"] = "0" },
			[]string{"modified sysctl net.ipv4.ip_forward: 0, declared 1 [sets it to 1]"},
		},
		"kernel parameters": {
			func(s *Seen) {
				s.CommandLine = "stet.system=aaaa init=/bin/sh no_timer_check a=b stet.vm=no_timer_check,a=b"
			},
			[]string{"added kernel parameter init=/bin/sh:  [a reboot leaves it out]", "deleted kernel parameter quiet:  [a reboot gives it]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{map[string]*tree.Tree{}, map[verity.Digest][]byte{}}
			seen := asDeclared()
			c.happens(seen)
			found, _, err := Find(w, w.system(t, declared), seen)
			if err != nil {
				t.Fatal(err)
			}
			have := lines(found)
			if diff := cmp.Diff(c.want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// lines are findings as a test writes them.
func lines(found []Finding) (all []string) {
	for _, f := range found {
		all = append(all, fmt.Sprintf("%s %s %s: %s [%s]", f.Change, f.Kind, f.Name, f.What, f.Undone))
	}
	return all
}

// find gives what is found when something happens to a machine that nobody
// touched.
func find(t *testing.T, happens func(*Seen)) (found, noise []Finding) {
	t.Helper()
	w := &world{map[string]*tree.Tree{}, map[verity.Digest][]byte{}}
	seen := asDeclared()
	happens(seen)
	found, noise, err := Find(w, w.system(t, declared), seen)
	if err != nil {
		t.Fatal(err)
	}
	return found, noise
}

func TestAChangedFileHasItsDifference(t *testing.T) {
	w := &world{map[string]*tree.Tree{}, map[verity.Digest][]byte{}}
	seen, text, secret := asDeclared(), "changed\n", "secret\n"
	seen.Facts.Drift = []plan.Drifted{
		{Path: "/etc/motd", Change: plan.Modified, Type: tree.Regular.String(), Mode: 0o644, Size: 8, Digest: verity.Sum([]byte(text)), Text: &text},
		{Path: "/etc/secret", Change: plan.Added, Type: tree.Regular.String(), Mode: 0o600, Size: 7, Digest: verity.Sum([]byte(secret))},
	}
	found, _, err := Find(w, w.system(t, declared), seen)
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	if !strings.Contains(found[0].Diff, "-declared\n+changed\n") || found[0].Hidden != "" {
		t.Errorf("%+v", found[0])
	}
	if found[1].Diff != "" || found[1].Hidden != plan.HiddenSecret {
		t.Errorf("%+v", found[1])
	}
}
