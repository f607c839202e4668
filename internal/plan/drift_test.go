package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDrift(t *testing.T) {
	secret := drifted("/etc/shadow", "root:hash\n")
	secret.Mode = 0o600
	opened := drifted("/etc/shadow", "root:hash\n") // somebody let everybody read it
	chmod := drifted("/etc/motd", "hello\n")
	chmod.Mode = 0o600
	persisted := drifted("/etc/motd", "mine\n")
	persisted.Persisted = true
	for name, c := range map[string]struct {
		drift  Drifted
		change []string
		want   []Drift
	}{
		"goes":                         {drifted("/etc/motd", "mine\n"), nil, []Drift{{Path: "/etc/motd", Change: Modified, Diff: "@@ -1 +1 @@\n-hello\n+mine\n"}}},
		"changed by both":              {drifted("/etc/motd", "mine\n"), []string{"/etc/motd", "theirs\n"}, []Drift{{Path: "/etc/motd", Change: Modified, Conflict: true, Diff: "@@ -1 +1 @@\n-hello\n+mine\n"}}},
		"adopted":                      {drifted("/etc/motd", "mine\n"), []string{"/etc/motd", "mine\n"}, nil},
		"persisted":                    {persisted, []string{"/etc/motd", "theirs\n"}, nil},
		"another mode":                 {chmod, nil, []Drift{{Path: "/etc/motd", Change: Modified, Hidden: HiddenSecret}}},
		"a secret":                     {secret, nil, []Drift{{Path: "/etc/shadow", Change: Modified, Hidden: HiddenSecret}}},
		"a secret that everybody sees": {opened, nil, []Drift{{Path: "/etc/shadow", Change: Modified, Hidden: HiddenSecret}}},
		"deleted":                      {Drifted{Path: "/etc/motd", Change: Deleted}, nil, []Drift{{Path: "/etc/motd", Change: Deleted, Diff: "@@ -1 +0,0 @@\n-hello\n"}}},
		"deleted by both":              {Drifted{Path: "/etc/motd", Change: Deleted}, []string{"/etc/motd", ""}, nil},
		"deleted here, changed there":  {Drifted{Path: "/etc/motd", Change: Deleted}, []string{"/etc/motd", "theirs\n"}, []Drift{{Path: "/etc/motd", Change: Deleted, Conflict: true, Diff: "@@ -1 +0,0 @@\n-hello\n"}}},
		"changed here, deleted there":  {drifted("/etc/motd", "mine\n"), []string{"/etc/motd", ""}, []Drift{{Path: "/etc/motd", Change: Modified, Conflict: true, Diff: "@@ -1 +1 @@\n-hello\n+mine\n"}}},
		"added":                        {drifted("/etc/n", "x\n"), nil, []Drift{{Path: "/etc/n", Change: Modified, Diff: "@@ -0,0 +1 @@\n+x\n"}}},
		"added by both":                {drifted("/etc/n", "x\n"), []string{"/etc/n", "y\n"}, []Drift{{Path: "/etc/n", Change: Modified, Conflict: true, Diff: "@@ -0,0 +1 @@\n+x\n"}}},
		"a link":                       {Drifted{Path: "/etc/l", Change: Added, Type: "symlink", Target: "x"}, nil, []Drift{{Path: "/etc/l", Change: Added}}},
		"a binary":                     {Drifted{Path: "/etc/b", Change: Added, Type: "file", Mode: 0o644, Size: 4}, nil, []Drift{{Path: "/etc/b", Change: Added, Hidden: HiddenBinary}}},
	} {
		w := newWorld()
		old, next := w.system(t, base()), w.system(t, base().with(c.change...))
		f := w.facts(old)
		f.Drift = []Drifted{c.drift}
		p := w.make(t, old, next, f)
		if diff := cmp.Diff(c.want, p.Drift); diff != "" && len(c.want)+len(p.Drift) > 0 {
			t.Errorf("%s: %s", name, diff)
		}
		conflict := len(p.Decisions) == 1 && p.Decisions[0].Kind == DecideConflict
		if want := len(c.want) == 1 && c.want[0].Conflict; conflict != want {
			t.Errorf("%s: decisions: %v", name, p.Decisions)
		}
		remounts := slices.ContainsFunc(p.Trees, func(t Tree) bool { return t.Name == etcTree && t.Live })
		if !c.drift.Persisted && !remounts {
			t.Errorf("%s: /etc is not made anew", name)
		}
	}
}

// TestAccountsThatWereAdoptedAreNothingToDecide has the account tools write what the next
// system has, in other words.
func TestAccountsThatWereAdoptedAreNothingToDecide(t *testing.T) {
	const eve = "eve:x:1001:1001::/home/eve:/bin/sh\n"
	passwd, group := base()["/etc/passwd"], base()["/etc/group"]
	first, last, _ := strings.Cut(passwd, "\n")
	next := base().with("/etc/passwd", first+"\n"+eve+last, "/etc/group", group+"eve:x:1001:\nlab:x:2001:ada,eve\n", "/etc/shadow", "eve:!:1:::::\n", "/etc/localtime", "->/usr/share/zoneinfo/Asia/Tokyo")
	shadow := drifted("/etc/shadow", "eve:!:2:0:::\n")
	shadow.Mode, shadow.Text = 0o640, nil
	for name, c := range map[string]struct {
		passwd, group string
		conflicts     []string
	}{
		"the same":            {passwd + eve, group + "lab:x:2001:eve,ada\neve:x:1001:\n", nil},
		"one has more":        {passwd + eve + "bob:x:1002:1002::/:/bin/sh\n", group + "lab:x:2001:eve,ada\neve:x:1001:\n", []string{"/etc/group", "/etc/passwd", "/etc/shadow"}},
		"other members":       {passwd + eve, group + "lab:x:2001:eve\neve:x:1001:\n", []string{"/etc/group", "/etc/passwd", "/etc/shadow"}},
		"other numbers":       {passwd + strings.Replace(eve, "1001", "1003", 1), group + "lab:x:2001:eve,ada\neve:x:1001:\n", []string{"/etc/group", "/etc/passwd", "/etc/shadow"}},
		"a file that is gone": {"", group + "lab:x:2001:eve,ada\neve:x:1001:\n", []string{"/etc/group", "/etc/passwd", "/etc/shadow"}},
	} {
		w := newWorld()
		old, next := w.system(t, base()), w.system(t, next)
		f := w.facts(old)
		f.Drift = []Drifted{drifted("/etc/group", c.group), drifted("/etc/passwd", c.passwd), shadow, {Path: "/etc/localtime", Change: Modified, Type: "symlink", Target: "../usr/share/zoneinfo/Asia/Tokyo"}}
		if c.passwd == "" {
			f.Drift[1] = Drifted{Path: "/etc/passwd", Change: Deleted}
		}
		var conflicts []string
		for _, d := range w.make(t, old, next, f).Drift {
			if d.Conflict {
				conflicts = append(conflicts, d.Path)
			}
		}
		if !slices.Equal(conflicts, c.conflicts) {
			t.Errorf("%s: %q, want %q", name, conflicts, c.conflicts)
		}
	}
}

func TestUndoingDriftIsAPlanLikeAnother(t *testing.T) {
	w := newWorld()
	s := w.system(t, base())
	f := w.facts(s, w.active(s, "web.service", "/usr/sbin/web"))
	f.Drift = []Drifted{drifted("/etc/web/web.conf", "mine\n"), drifted("/etc/systemd/system/web.service.d/mine.conf", "[Service]\nNice=1\n")}
	p := w.make(t, s, s, f)
	if p.Kind != Live || actions(p) != "stop-start web.service (text [Service] Nice=) (file /etc/web/web.conf)" {
		t.Errorf("%s\n%s", p.Kind, actions(p))
	}
}

func TestAnUndoLeavesWhatIsKept(t *testing.T) {
	w := newWorld()
	s := w.system(t, base())
	f := w.facts(s, w.active(s, "web.service", "/usr/sbin/web"), RunningUnit{Name: "left.service", Active: "active"}, RunningUnit{Name: "lost.service", Active: "failed"}, RunningUnit{Name: "mnt.mount", Active: "active"}, RunningUnit{Name: "ill.service", Active: "failed"})
	f.Drift = []Drifted{drifted("/etc/web/web.conf", "mine\n"), drifted("/etc/motd", "mine\n"), drifted("/etc/motd.d/x", "mine\n")}
	f.Restore = &Restore{Keep: []string{"/etc/motd", "/etc/motd.d"}, Variables: []string{"net.ipv4.conf.eth0/1.rp_filter"}, Stop: []string{"left.service", "lost.service", "mnt.mount"}, Start: []string{"ill.service"}, Unmask: []string{"masked.service"}, Disable: []string{"enabled.service"}}
	p := w.make(t, s, s, f)
	if want := "reload web.service (file /etc/web/web.conf)\nstop left.service (drift runs, and is declared nowhere)\nstop mnt.mount (drift is mounted, and is declared nowhere)\nstart ill.service (drift has failed)"; actions(p) != want {
		t.Errorf("%s\nwant\n%s", actions(p), want)
	}
	want := []Task{
		{[]string{"/usr/lib/systemd/systemd-sysctl", "--prefix=/net/ipv4/conf/eth0.1/rp_filter"}, "net.ipv4.conf.eth0/1.rp_filter is another than declared"},
		{[]string{"systemctl", "unmask", "--runtime", "--", "masked.service"}, "masked.service is masked for this run, and is not declared so"},
		{[]string{"systemctl", "disable", "--runtime", "--", "enabled.service"}, "enabled.service is enabled for this run, and is not declared so"},
		{[]string{"systemctl", "reset-failed", "--", "lost.service"}, "lost.service has failed, and is declared nowhere"},
	}
	if diff := cmp.Diff(want, p.Tasks); diff != "" {
		t.Error(diff)
	}
	if len(p.Drift) != 1 || p.Drift[0].Path != "/etc/web/web.conf" || len(p.Keep) != 2 || p.Kind != Live {
		t.Errorf("%s: drift %v, kept %v", p.Kind, p.Drift, p.Keep)
	}
	f.Drift, f.Restore = nil, &Restore{Variables: []string{"vm.swappiness"}}
	if p := w.make(t, s, s, f); p.Kind != Live || len(p.Trees) != 0 || len(p.Tasks) != 1 {
		t.Errorf("a variable alone: %s, trees %v, tasks %v", p.Kind, p.Trees, p.Tasks)
	}
}
