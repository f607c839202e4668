package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const service = "[Unit]\nDescription=x\n[Service]\nExecStart=/usr/sbin/x\nExecReload=/bin/kill -HUP $MAINPID\n"

// TestWhatAnotherTextMeans goes through the traps of those who did it before.
func TestWhatAnotherTextMeans(t *testing.T) {
	replace := func(from, to string) string { return strings.Replace(service, from, to, 1) }
	for name, c := range map[string]struct {
		unit     string
		old, new string
		want     string
	}{
		"nothing":                         {"x.service", service, service, ""},
		"the default stops first":         {"x.service", service, replace("/sbin/x", "/sbin/y"), "stop-start x.service (text [Service] ExecStart=)"},
		"X-StopIfChanged=false":           {"x.service", service, replace("[Service]", "[Service]\nNice=1\nX-StopIfChanged=false"), "restart x.service (text [Service] Nice=)"},
		"X-ReloadIfChanged=true":          {"x.service", service, replace("[Service]", "[Service]\nNice=1\nX-ReloadIfChanged=true"), "reload x.service (text [Service] Nice=)"},
		"but it cannot reload":            {"x.service", "[Service]\nExecStart=/usr/sbin/x\n", "[Service]\nExecStart=/usr/sbin/x\nNice=1\nX-ReloadIfChanged=true\n", "stop-start x.service (text [Service] Nice=)"},
		"X-RestartIfChanged=false":        {"x.service", service, replace("[Service]", "[Service]\nNice=1\nX-RestartIfChanged=false"), "keep x.service (text [Service] Nice=) (kept X-RestartIfChanged=)"},
		"RefuseManualStop":                {"x.service", service, replace("[Service]", "RefuseManualStop=yes\n[Service]\nNice=1"), "keep x.service (text [Service] Nice=) (kept RefuseManualStop=)"},
		"X-OnlyManualStart":               {"x.service", service, replace("[Service]", "X-OnlyManualStart=yes\n[Service]\nNice=1"), "keep x.service (text [Service] Nice=) (kept X-OnlyManualStart=)"},
		"only ExecReload":                 {"x.service", service, replace("-HUP", "-USR1"), "reload x.service (text [Service] ExecReload=)"},
		"gone":                            {"x.service", service, "", "stop x.service (removed)"},
		"gone but not stopped":            {"x.service", replace("[Service]", "X-StopOnRemoval=false\n[Service]"), "", "keep x.service (removed) (kept X-StopOnRemoval=)"},
		"a slice":                         {"x.slice", "[Slice]\nCPUWeight=1\n", "[Slice]\nCPUWeight=2\n", ""},
		"a path":                          {"x.path", "[Path]\nPathExists=/a\n", "[Path]\nPathExists=/b\n", ""},
		"a target":                        {"x.target", "[Unit]\nAfter=a.service\n", "[Unit]\nAfter=b.service\n", ""},
		"X-StopOnReconfiguration":         {"x.target", "[Unit]\nX-StopOnReconfiguration=true\n", "[Unit]\nX-StopOnReconfiguration=true\nAfter=b.service\n", "stop-start x.target (text [Unit] X-StopOnReconfiguration=)"},
		"a timer":                         {"x.timer", "[Timer]\nOnCalendar=daily\n", "[Timer]\nOnCalendar=weekly\n", "restart x.timer (text [Timer] OnCalendar=)"},
		"a socket":                        {"x.socket", "[Socket]\nListenStream=1\n", "[Socket]\nListenStream=2\n", "restart x.socket (text [Socket] ListenStream=)"},
		"a mount's options":               {"x.mount", "[Mount]\nWhat=/dev/a\nWhere=/x\nOptions=ro\n", "[Mount]\nWhat=/dev/a\nWhere=/x\nOptions=rw\n", "reload x.mount (text [Mount] Options=)"},
		"a mount's device":                {"x.mount", "[Mount]\nWhat=/dev/a\nWhere=/x\n", "[Mount]\nWhat=/dev/b\nWhere=/x\n", "restart x.mount (text [Mount] What=)"},
		"an automount":                    {"x.automount", "[Automount]\nWhere=/x\n", "[Automount]\nWhere=/x\nTimeoutIdleSec=9\n", "stop-start x.automount (text [Automount] TimeoutIdleSec=)"},
		"an instance whose name has dots": {"x@a.b.service", service, replace("/sbin/x", "/sbin/%i"), "stop-start x@a.b.service (text [Service] ExecStart=)"},
	} {
		w := newWorld()
		file := lib + c.unit
		if strings.Contains(c.unit, "@") {
			file = lib + "x@.service"
		}
		old := w.system(t, base().with(file, c.old))
		next := w.system(t, base().with(file, c.new, "/etc/motd", "new\n"))
		p := w.make(t, old, next, w.facts(old, w.active(old, c.unit)))
		if have := actions(p); have != c.want {
			t.Errorf("%s: have\n%s\nwant\n%s", name, have, c.want)
		}
	}
}

func TestUnitsThatDoNotRunAreLeftAlone(t *testing.T) {
	w := newWorld()
	old := w.system(t, base().with(lib+"x.service", service))
	// Whatever its flags say, and whether or not they would let it start.
	for _, flag := range []string{"", "RefuseManualStart=yes\n", "X-OnlyManualStart=yes\n"} {
		next := w.system(t, base().with(lib+"x.service", strings.Replace(service, "[Service]", flag+"[Service]\nNice=1\nX-ReloadIfChanged=true", 1)))
		for _, state := range []string{"inactive", "failed", "deactivating"} {
			if have := actions(w.make(t, old, next, w.facts(old, RunningUnit{Name: "x.service", Active: state}))); have != "" {
				t.Errorf("%q, %s: %s", flag, state, have)
			}
		}
	}
}

func TestDropInsMasksAndAliases(t *testing.T) {
	w := newWorld()
	one := base().with(lib+"x.service", service, lib+"alias.service", "->x.service")
	for name, c := range map[string]struct {
		old, new spec
		want     string
	}{
		"a drop-in comes":       {one, one.with(etc+"x.service.d/a.conf", "[Service]\nNice=1\n"), "stop-start x.service (text [Service] Nice=)"},
		"a drop-in goes":        {one.with(etc+"x.service.d/a.conf", "[Service]\nNice=1\n"), one, "stop-start x.service (text [Service] Nice=)"},
		"a drop-in of an alias": {one, one.with(etc+"alias.service.d/a.conf", "[Service]\nNice=1\n"), "stop-start x.service (text [Service] Nice=)"},
		"for all services":      {one, one.with(lib+"service.d/a.conf", "[Service]\nNice=1\n"), "stop-start x.service (text [Service] Nice=)"},
		"masked":                {one, one.with(etc+"x.service", "->/dev/null"), "stop x.service (masked)"},
		"overridden":            {one, one.with(etc+"x.service", strings.Replace(service, "/sbin/x", "/sbin/y", 1)), "stop-start x.service (text [Service] ExecStart=)"},
		"overridden by itself":  {one, one.with(etc+"x.service", service), ""},
	} {
		old, next := w.system(t, c.old), w.system(t, c.new)
		if have := actions(w.make(t, old, next, w.facts(old, w.active(old, "x.service")))); have != c.want {
			t.Errorf("%s: have\n%s\nwant\n%s", name, have, c.want)
		}
	}
}

// withSocket is a system with a service and its socket; neither is enabled.
func withSocket() spec {
	return base().with(lib+"s.service", service, lib+"s.socket", "[Socket]\nListenStream=22\n[Install]\nWantedBy=sockets.target\n")
}

func TestSockets(t *testing.T) {
	enabled := []string{etc + "sockets.target.wants/s.socket", "->" + lib + "s.socket"}
	direct := []string{etc + "multi-user.target.wants/s.service", "->" + lib + "s.service"}
	changedService := strings.Replace(service, "[Service]", "[Service]\nNice=1", 1)
	for name, c := range map[string]struct {
		old, new spec
		running  []string
		want     string
	}{
		"its service is another": {
			withSocket().with(enabled...).with(direct...), withSocket().with(enabled...).with(direct...).with(lib+"s.service", changedService), []string{"s.service", "s.socket"},
			"stop-start s.socket (with s.service)\nstop-start s.service (text [Service] Nice=)",
		},
		"but it is not activated by it": {
			withSocket().with(enabled...).with(direct...), withSocket().with(enabled...).with(direct...).with(lib+"s.service", changedService+"X-NotSocketActivated=true\n"), []string{"s.service", "s.socket"},
			"stop-start s.service (text [Service] Nice=)",
		},
		"the socket is another, and the service runs by itself": {
			withSocket().with(enabled...).with(direct...), withSocket().with(enabled...).with(direct...).with(lib+"s.socket", "[Socket]\nListenStream=23\n"), []string{"s.service", "s.socket"},
			"stop-start s.socket (text [Socket] ListenStream=)\nstop-start s.service (socket s.socket)",
		},
		"the socket is another, and started the service": {
			withSocket().with(enabled...), withSocket().with(enabled...).with(lib+"s.socket", "[Socket]\nListenStream=23\n"), []string{"s.service", "s.socket"},
			"stop-start s.socket (text [Socket] ListenStream=)\nstop s.service (socket s.socket)",
		},
		"the socket is another, and waits": {
			withSocket().with(enabled...), withSocket().with(enabled...).with(lib+"s.socket", "[Socket]\nListenStream=23\n"), []string{"s.socket"},
			"restart s.socket (text [Socket] ListenStream=)",
		},
		"the socket takes over": {
			withSocket().with(direct...), withSocket().with(enabled...), []string{"s.service"},
			"start s.socket (wanted sockets.target)\nstop s.service (unwanted)",
		},
		"the socket goes": {
			withSocket().with(enabled...), withSocket().with(direct...), []string{"s.socket"},
			"stop s.socket (unwanted)\nstart s.service (wanted multi-user.target)",
		},
		"one service for each connection": {
			withSocket().with(enabled...).with(lib+"s@.service", service), withSocket().with(enabled...).with(lib+"s@.service", service, lib+"s.socket", "[Socket]\nListenStream=23\nAccept=yes\n"), []string{"s@1.service", "s.socket"},
			"restart s.socket (text [Socket] Accept= [Socket] ListenStream=)",
		},
	} {
		w := newWorld()
		old, next := w.system(t, c.old), w.system(t, c.new)
		var running []RunningUnit
		for _, name := range c.running {
			running = append(running, w.active(old, name))
		}
		have := actions(w.make(t, old, next, w.facts(old, running...)))
		have = strings.ReplaceAll(have, ") (text [Socket] L", " [Socket] L")
		if have != c.want {
			t.Errorf("%s: have\n%s\nwant\n%s", name, have, c.want)
		}
	}
}

func TestAPackageRestartsWhatMapsIt(t *testing.T) {
	w := newWorld()
	old := w.system(t, base())
	ssl := w.system(t, base().with("/usr/lib/x86_64-linux-gnu/libssl.so.3", "libssl 2", databaseStatus, status("dbus 1.16", "guard 1.0", "libc6 2.41", "libssl3t64 3.5.2", "systemd 257.13", "web 1.26")))
	facts := func() *Facts {
		return w.facts(old,
			w.active(old, "web.service", "/usr/sbin/web", "/usr/lib/x86_64-linux-gnu/libssl.so.3"),
			w.active(old, "dbus.service", "/usr/bin/dbus-daemon"),
			w.active(old, "dbus.socket"))
	}
	p := w.make(t, old, ssl, facts())
	if have := actions(p); have != "restart web.service (mapped /usr/lib/x86_64-linux-gnu/libssl.so.3)" {
		t.Errorf("have\n%s", have)
	}
	if p.Kind != Live || len(p.Packages) != 1 {
		t.Errorf("%s %v", p.Kind, p.Packages)
	}

	// What was mapped of an older system counts by its content, not by its path.
	f := facts()
	f.Managers[0].Units[4].Maps = w.maps(ssl, "/usr/sbin/web", "/usr/lib/x86_64-linux-gnu/libssl.so.3")
	if have := actions(w.make(t, old, ssl, f)); have != "" {
		t.Errorf("of the new tree already: have\n%s", have)
	}
	// What nobody knows is another.
	f.Managers[0].Units[4].Maps = []Maps{{"", []string{"/usr/sbin/web"}}}
	if have := actions(w.make(t, old, ssl, f)); have != "restart web.service (mapped /usr/sbin/web)" {
		t.Errorf("of an unknown tree: have\n%s", have)
	}
	// State belongs to no system.
	f.Managers[0].Units[4].Maps = []Maps{{"", []string{"/var/lib/web/plugin.so"}}}
	if have := actions(w.make(t, old, ssl, f)); have != "" {
		t.Errorf("of the state: have\n%s", have)
	}
}

func TestScriptsRestartWithTheirPackage(t *testing.T) {
	w := newWorld()
	s := base().with(lib+"guard.service", "[Service]\nExecStart=/usr/bin/guard run\n")
	old := w.system(t, s)
	newer := status("dbus 1.16", "guard 1.1", "libc6 2.41", "libssl3t64 3.5.1", "systemd 257.13", "web 1.26")
	facts := w.facts(old, w.active(old, "guard.service", "/usr/bin/python3.13"))
	code := w.system(t, s.with("/usr/lib/python3/guard.py", "guard 2", databaseStatus, newer))
	if have := actions(w.make(t, old, code, facts)); have != "restart guard.service (package guard 1.0 → 1.1)" {
		t.Errorf("have\n%s", have)
	}
	words := w.system(t, s.with("/usr/share/doc/guard/NEWS", "2\n", databaseStatus, newer))
	if have := actions(w.make(t, old, words, facts)); have != "" {
		t.Errorf("documentation: have\n%s", have)
	}
}

// TestNamespaces has every row of the trial's table.
func TestNamespaces(t *testing.T) {
	for name, c := range map[string]struct {
		namespace *Namespace
		change    string // path that is another
		want      string
		protect   bool
	}{
		"none":                                 {nil, "/usr/share/x", "", false},
		"PrivateTmp":                           {&Namespace{}, "/usr/share/x", "", false},
		"ProtectSystem, another /usr":          {&Namespace{ReadOnlyEtc: true}, "/usr/share/x", "", false},
		"ProtectSystem, another /etc":          {&Namespace{ReadOnlyEtc: true}, "/etc/motd", "", true},
		"ProtectKernelModules, another /usr":   {&Namespace{Below: []string{"/usr/lib/modules"}}, "/usr/share/x", "restart web.service (namespace /usr)", false},
		"ProtectKernelModules, another /etc":   {&Namespace{Below: []string{"/usr/lib/modules"}}, "/etc/motd", "", false},
		"BindReadOnlyPaths, another /usr":      {&Namespace{Copies: []Copy{{"/usr/share/web", "/opt"}}}, "/usr/share/x", "restart web.service (namespace /usr)", false},
		"ReadOnlyPaths=/etc/web, another /etc": {&Namespace{Below: []string{"/etc/web"}, ReadOnlyEtc: true}, "/etc/motd", "restart web.service (namespace /etc)", false},
		"private":                              {&Namespace{Private: true}, "/etc/motd", "restart web.service (namespace /etc)", false},
		"a reload is not enough":               {&Namespace{Below: []string{"/etc/web"}}, "/etc/web/web.conf", "restart web.service (file /etc/web/web.conf) (namespace /etc)", false},
		"a reload would be":                    {&Namespace{ReadOnlyEtc: true}, "/etc/web/web.conf", "reload web.service (file /etc/web/web.conf)", true},
	} {
		w := newWorld()
		old, next := w.system(t, base()), w.system(t, base().with(c.change, "new"))
		u := w.active(old, "web.service", "/usr/sbin/web")
		u.Namespace = c.namespace
		p := w.make(t, old, next, w.facts(old, u))
		if have := actions(p); have != c.want || len(p.Protect) == 1 != c.protect {
			t.Errorf("%s: have\n%s\nprotect %v", name, have, p.Protect)
		}
	}
}

func TestWhatIsKeptIsOwed(t *testing.T) {
	w := newWorld()
	old := w.system(t, base())
	next := w.system(t, base().with("/usr/bin/dbus-daemon", "dbus 2", "/usr/share/dbus-1/system.d/x.conf", "policy"))
	logind := w.active(old, "systemd-logind.service", "/usr/lib/systemd/systemd-logind")
	logind.Namespace = &Namespace{Below: []string{"/usr/lib/modules"}}
	facts := w.facts(old, w.active(old, "dbus.service", "/usr/bin/dbus-daemon"), w.active(old, "dbus.socket"), logind,
		RunningUnit{Name: "session-1.scope", Active: "active", Maps: w.maps(old, "/usr/bin/dbus-daemon")})
	p := w.make(t, old, next, facts)
	const want = `reload dbus.service (mapped /usr/bin/dbus-daemon) (kept every service and session that talks on the bus would lose it) (told policies and services of the bus)
keep session-1.scope (mapped /usr/bin/dbus-daemon) (kept it is somebody's session)
keep systemd-logind.service (namespace /usr) (kept it holds the seats and devices of those who are logged in)`
	if have := actions(p); have != want {
		t.Errorf("have\n%s", have)
	}
	if p.Kind != SoftReboot {
		t.Errorf("it is %s", p.Kind)
	}
	var until []string
	for _, d := range p.Debt {
		until = append(until, d.What+": "+string(d.Until))
	}
	if have := strings.Join(until, ", "); have != "unit dbus.service: soft reboot, unit session-1.scope: logout, unit systemd-logind.service: restart" {
		t.Errorf("have %s", have)
	}

	// Afterwards nothing is to be done, and still owed.
	facts.Managers[0].Units[6].Namespace = nil
	p = w.make(t, next, next, facts)
	if have := short(p); have != "keep dbus.service, keep session-1.scope" || p.Kind != SoftReboot {
		t.Errorf("afterwards: %s %s", p.Kind, have)
	}
}

func TestWhatWouldTakeAKeptUnitAlongIsKept(t *testing.T) {
	w := newWorld()
	s := base().with(lib+"display-manager.service", "[Unit]\nBindsTo=seat.service\n[Service]\nExecStart=/usr/sbin/dm\n", lib+"seat.service", service)
	old, next := w.system(t, s), w.system(t, s.with(lib+"seat.service", strings.Replace(service, "/sbin/x", "/sbin/y", 1)))
	p := w.make(t, old, next, w.facts(old, w.active(old, "display-manager.service"), w.active(old, "seat.service")))
	if have := short(p); have != "keep seat.service" || p.Kind != SoftReboot {
		t.Errorf("%s: %s", p.Kind, actions(p))
	}
}

func TestAnotherDisplayManagerWaits(t *testing.T) {
	w := newWorld()
	s := base().with(lib+"gdm.service", service, lib+"sddm.service", service)
	old := w.system(t, s.with(etc+"display-manager.service", "->"+lib+"gdm.service", etc+"multi-user.target.wants/display-manager.service", "->"+lib+"gdm.service"))
	next := w.system(t, s.with(lib+"gdm.service", "", etc+"display-manager.service", "->"+lib+"sddm.service", etc+"multi-user.target.wants/display-manager.service", "->"+lib+"sddm.service", "/etc/x", "y"))
	p := w.make(t, old, next, w.facts(old, w.active(old, "gdm.service")))
	if have := short(p); have != "keep gdm.service" || len(p.Debt) != 2 {
		t.Errorf("%s\n%v", actions(p), p.Debt)
	}
}

func TestDependencies(t *testing.T) {
	w := newWorld()
	text := func(unit string) string { return strings.Replace(service, "Description=x", unit, 1) }
	nice := func(s string) string { return strings.Replace(s, "[Service]", "[Service]\nNice=1", 1) }
	for name, c := range map[string]struct {
		files, change []string
		running       string
		want          string
	}{
		"required": {
			[]string{lib + "a.service", service, lib + "b.service", text("Requires=a.service\nAfter=a.service")},
			[]string{lib + "a.service", nice(service)}, "a.service b.service",
			"stop-start a.service (text [Service] Nice=)\nstop-start b.service (with a.service)",
		},
		"part of, through an alias": {
			[]string{lib + "a.service", service, lib + "other.service", "->a.service", lib + "b.service", text("PartOf=other.service\nBefore=other.service")},
			[]string{lib + "a.service", nice(service)}, "a.service b.service",
			"stop-start b.service (with a.service)\nstop-start a.service (text [Service] Nice=)",
		},
		"restarted, not stopped first": {
			[]string{lib + "a.timer", "[Timer]\nOnBootSec=1\n", lib + "b.service", text("BindsTo=a.timer")},
			[]string{lib + "a.timer", "[Timer]\nOnBootSec=2\n"}, "a.timer b.service",
			"restart a.timer (text [Timer] OnBootSec=)\nrestart b.service (with a.timer)",
		},
		"only wanted": {
			[]string{lib + "a.service", service, lib + "b.service", text("Wants=a.service")},
			[]string{lib + "a.service", nice(service)}, "a.service b.service",
			"stop-start a.service (text [Service] Nice=)",
		},
		"reloads with another": {
			[]string{lib + "a.service", text("PropagatesReloadTo=b.service"), lib + "b.service", service},
			[]string{lib + "a.service", strings.Replace(text("PropagatesReloadTo=b.service"), "-HUP", "-USR1", 1)}, "a.service b.service",
			"reload a.service (text [Service] ExecReload=)\nreload b.service (with a.service)",
		},
		"in a circle": {
			[]string{lib + "a.service", text("After=b.service"), lib + "b.service", text("After=a.service")},
			[]string{lib + "a.service", nice(text("After=b.service")), lib + "b.service", nice(text("After=a.service"))}, "a.service b.service",
			"stop-start a.service (text [Service] Nice=)\nstop-start b.service (text [Service] Nice=)",
		},
		"newly wanted, with what it needs": {
			nil, []string{lib + "a.service", text("Requires=b.service\nAfter=b.service"), lib + "b.service", service, etc + "multi-user.target.wants/a.service", "->" + lib + "a.service"}, "",
			"start b.service (wanted a.service)\nstart a.service (wanted multi-user.target)",
		},
		"newly wanted, but by hand only": {
			nil, []string{lib + "a.service", text("X-OnlyManualStart=yes"), etc + "multi-user.target.wants/a.service", "->" + lib + "a.service"}, "", "",
		},
		"wanted before, and not running": {
			[]string{lib + "a.service", service, etc + "multi-user.target.wants/a.service", "->" + lib + "a.service"}, []string{"/etc/x", "y"}, "", "",
		},
		"not wanted any more": {
			[]string{lib + "a.service", service, etc + "multi-user.target.wants/a.service", "->" + lib + "a.service"},
			[]string{etc + "multi-user.target.wants/a.service", ""}, "a.service",
			"stop a.service (unwanted)",
		},
		"not wanted any more, with what only it wanted": {
			[]string{lib + "a.service", text("Wants=b.service"), lib + "b.service", service, etc + "multi-user.target.wants/a.service", "->" + lib + "a.service"},
			[]string{etc + "multi-user.target.wants/a.service", ""}, "a.service b.service",
			"stop a.service (unwanted)\nstop b.service (unwanted)",
		},
		"never wanted": {
			[]string{lib + "a.service", service}, []string{"/etc/x", "y"}, "a.service", "",
		},
		"what cannot run beside it": {
			[]string{lib + "a.service", service},
			[]string{lib + "b.service", text("Conflicts=a.service"), etc + "multi-user.target.wants/b.service", "->" + lib + "b.service"}, "a.service",
			"stop a.service (conflicts b.service)\nstart b.service (wanted multi-user.target)",
		},
		"a file that its command names": {
			[]string{lib + "a.service", strings.Replace(service, "sbin/x", "sbin/x -c /etc/a.conf", 1), "/etc/a.conf", "1"}, []string{"/etc/a.conf", "2"}, "a.service",
			"restart a.service (file /etc/a.conf)",
		},
		"its environment": {
			[]string{lib + "a.service", strings.Replace(service, "[Service]", "[Service]\nEnvironmentFile=-/etc/default/a", 1)}, []string{"/etc/default/a", "A=1"}, "a.service",
			"restart a.service (file /etc/default/a)",
		},
		"a directory that triggers": {
			[]string{lib + "a.service", text("X-Restart-Triggers=/etc/a.d"), "/etc/a.d/a.conf", "1"}, []string{"/etc/a.d/b.conf", "1"}, "a.service",
			"restart a.service (file /etc/a.d/b.conf)",
		},
		"a pattern that triggers": {
			[]string{lib + "a.service", text("X-Reload-Triggers=/etc/a*.conf")}, []string{"/etc/ab.conf", "1"}, "a.service",
			"reload a.service (file /etc/ab.conf)",
		},
		"an automount takes its mount along": {
			[]string{"/etc/fstab", "/dev/a /x ext4 x-systemd.automount\n"}, []string{"/etc/fstab", "# none\n"}, "x.automount x.mount",
			"stop x.automount (removed)\nstop x.mount (removed) (with x.automount)",
		},
		"fstab": {
			[]string{"/etc/fstab", "/dev/a /a ext4 defaults\n/dev/b /b ext4 defaults\n/dev/c /c ext4 defaults\n"},
			[]string{"/etc/fstab", "/dev/a /a ext4 ro\n/dev/x /b ext4 defaults\n/dev/d /d ext4 defaults\n/dev/e /e ext4 noauto\n"},
			"a.mount b.mount c.mount local-fs.target",
			"reload a.mount (text [Mount] Options=)\nrestart b.mount (text [Mount] What=)\nstop c.mount (removed)\nstart d.mount (wanted local-fs.target)\nstop-start local-fs.target (with b.mount) (with c.mount)",
		},
		"what needs a mount comes after it": {
			[]string{"/etc/fstab", "/dev/b /x ext4 defaults\n", lib + "a.service", text("RequiresMountsFor=/x/y")},
			[]string{"/etc/fstab", "/dev/c /x ext4 defaults\n", lib + "a.service", nice(text("RequiresMountsFor=/x/y"))}, "a.service x.mount",
			"restart x.mount (text [Mount] What=)\nstop-start a.service (text [Service] Nice=)",
		},
	} {
		s := base().with(lib+"local-fs.target", "[Unit]\n").with(c.files...)
		old, next := w.system(t, s), w.system(t, s.with(c.change...))
		var running []RunningUnit
		for _, name := range strings.Fields(c.running) {
			running = append(running, w.active(old, name))
		}
		if have := actions(w.make(t, old, next, w.facts(old, running...))); have != c.want {
			t.Errorf("%s: have\n%s\nwant\n%s", name, have, c.want)
		}
	}
}

func TestAFailedUnitThatWasMendedStarts(t *testing.T) {
	w := newWorld()
	s := base().with(etc+"multi-user.target.wants/a.service", "->"+lib+"a.service")
	old, next := w.system(t, s.with(lib+"a.service", service)), w.system(t, s.with(lib+"a.service", strings.Replace(service, "/sbin/x", "/sbin/y", 1)))
	failed := RunningUnit{Name: "a.service", Active: "failed"}
	if have := actions(w.make(t, old, next, w.facts(old, failed))); have != "start a.service (text [Service] ExecStart=) (wanted multi-user.target)" {
		t.Errorf("have %s", have)
	}
	next = w.system(t, s.with(lib+"a.service", service, "/etc/x", "y"))
	if have := actions(w.make(t, old, next, w.facts(old, failed))); have != "" {
		t.Errorf("nothing was mended: have %s", have)
	}
}

func TestUserUnits(t *testing.T) {
	const user = "/usr/lib/systemd/user/"
	w := newWorld()
	s := base().with(user+"sound.service", service, user+"shell.service", strings.Replace(service, "Description=x", "PartOf=graphical-session.target", 1), user+"dbus.service", service)
	old := w.system(t, s)
	next := w.system(t, s.with("/usr/bin/sound", "2", user+"sound.service", strings.Replace(service, "/sbin/x", "/sbin/y", 1), user+"shell.service", strings.Replace(s[user+"shell.service"], "/sbin/x", "/sbin/y", 1)))
	facts := w.facts(old)
	facts.Managers = append(facts.Managers, RunningManager{User: "ada", Maps: w.maps(old, "/usr/lib/systemd/systemd"), Units: []RunningUnit{
		{Name: "sound.service", Active: "active"}, {Name: "shell.service", Active: "active"}, {Name: "app-x.scope", Active: "active", Maps: w.maps(old)},
	}})
	p := w.make(t, old, next, facts)
	if have := short(p); have != "keep shell.service, stop-start sound.service" || p.Units[0].User != "ada" || p.Kind != Live {
		t.Errorf("%s\n%s", p.Kind, actions(p))
	}
	if len(p.Managers) != 2 || p.Managers[1].User != "ada" || p.Managers[1].Action != ManagerReload {
		t.Errorf("managers: %v", p.Managers)
	}
}

func TestTheManagerStartsAnew(t *testing.T) {
	w := newWorld()
	old := w.system(t, base())
	for change, want := range map[string]ManagerAction{"/etc/hostname": ManagerReload, "/usr/lib/systemd/systemd": ManagerReexec, "/etc/systemd/system.conf": ManagerReexec} {
		p := w.make(t, old, w.system(t, base().with(change, "new")), w.facts(old))
		if len(p.Managers) != 1 || p.Managers[0].Action != want {
			t.Errorf("%s: %v", change, p.Managers)
		}
	}
}

// TestTheManagerReadsUnitsAgainWhenThereMayBeOthers changes one file of /etc: what no
// manager and no generator reads is no reason.
func TestTheManagerReadsUnitsAgainWhenThereMayBeOthers(t *testing.T) {
	generator := func(name string) string { return "/usr/lib/systemd/system-generators/" + name }
	watching := func(at string) []string { return []string{lib + "watch.path", "[Path]\nPathChanged=" + at + "\n"} }
	for name, c := range map[string]struct {
		has    []string
		change string
		want   string
	}{
		"a page":                             {nil, "/etc/motd", ""},
		"a unit":                             {nil, etc + "new.service", "file " + etc + "new.service"},
		"a drop-in":                          {nil, etc + "web.service.d/more.conf", "file " + etc + "web.service.d"},
		"what a specifier says":              {nil, "/etc/hostname", "file /etc/hostname"},
		"fstab, which nobody reads":          {nil, "/etc/fstab", ""},
		"fstab, which a generator reads":     {[]string{generator("systemd-fstab-generator"), "x"}, "/etc/fstab", "file /etc/fstab"},
		"what a known generator leaves":      {[]string{generator("systemd-fstab-generator"), "x"}, "/etc/motd", ""},
		"with a generator that nobody knows": {[]string{generator("own-generator"), "x"}, "/etc/motd", "trees /etc"},
		"and one in /etc":                    {[]string{"/etc/systemd/system-generators/own", "x"}, "/etc/motd", "trees /etc"},
		"one of users is theirs":             {[]string{"/usr/lib/systemd/user-generators/own", "x"}, "/etc/motd", ""},
		"what watches /etc":                  {watching("/etc/cups"), "/etc/motd", "trees /etc"},
		"what watches something else":        {watching("/run/cups"), "/etc/motd", ""},
		"a unit that a link leads to":        {[]string{etc + "linked.service", "->/etc/own/linked.service", "/etc/own/linked.service", service}, "/etc/own/linked.service", "trees /etc"},
		"/usr, too":                          {nil, "/usr/bin/guard", "trees /usr"},
	} {
		w := newWorld()
		system := base().with(c.has...)
		old := w.system(t, system)
		facts := w.facts(old)
		if system[etc+"linked.service"] != "" {
			facts = w.facts(old, w.active(old, "linked.service"))
		}
		if system[lib+"watch.path"] != "" {
			facts = w.facts(old, w.active(old, "watch.path"))
		}
		p := w.make(t, old, w.system(t, system.with(c.change, "changed\n")), facts)
		var have []string
		for _, m := range p.Managers {
			for _, r := range m.Reasons {
				have = append(have, fmt.Sprint(r.Why, " ", r.What))
			}
		}
		if have := strings.Join(have, ", "); have != c.want {
			t.Errorf("%s: have %q, want %q", name, have, c.want)
		}
	}
}

func TestGeneratedUnitsAreNobodysRemoval(t *testing.T) {
	w := newWorld()
	old, next := w.system(t, base()), w.system(t, base().with("/etc/motd", "new\n"))
	facts := w.facts(old, RunningUnit{Name: "gen.service", Active: "active"}, RunningUnit{Name: "run-u1.service", Active: "active", Fragment: "/run/systemd/transient/run-u1.service"},
		RunningUnit{Name: "dev-vda.device", Active: "active"}, RunningUnit{Name: "-.slice", Active: "active"}, RunningUnit{Name: "init.scope", Active: "active"}, RunningUnit{Name: "-.mount", Active: "active"})
	facts.Run = map[string]RunFile{"/run/systemd/generator/gen.service": {Text: service}, "/run/systemd/generator/multi-user.target.wants/gen.service": {Link: "../gen.service"}}
	if have := actions(w.make(t, old, next, facts)); have != "" {
		t.Errorf("have\n%s", have)
	}
}

func TestTheTableIsInOrder(t *testing.T) {
	known, err := parseTable(builtin)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"dbus.service", "systemd-logind.service", "gdm.service", "getty@tty1.service", "-.mount", "user@1000.service"} {
		if _, ok := known.kept("", name, nil); !ok {
			t.Errorf("%s may restart", name)
		}
	}
	for text, want := range map[string]string{
		"Format: 2\n":                                            "format",
		"Format: 1\n\nPaths: /a\nRun: b\n":                       "Why",
		"Format: 1\n\nKeep: never\nWhy: x\n":                     "no end",
		"Format: 1\n\nPaths: /a\nWhy: x\n":                       "has Run",
		"Format: 1\n\nWhy: x\n":                                  "Keep, Paths, Read-By or Login",
		"Format: 1\n\nPaths: /usr/a\nRead-By: manager\nWhy: x\n": "not below /etc",
		"Format: 1\n\nLogin: /etc/a\nWhy: x\n":                   "and Needs",
		"Format: 1\n\nPaths: /a\nRun: b\nWhy: x":                 "both Run and Needs",
	} {
		if _, err := parseTable([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: have %v", text, err)
		}
	}
	if !slices.ContainsFunc(known.tell, func(r tellRule) bool { return r.reexec }) {
		t.Error("nothing has the manager start anew")
	}
}
