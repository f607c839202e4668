package unit

import (
	"fmt"
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	const service = "[Unit]\nDescription=a\nAfter=x.service y.service\n[Service]\nExecStart=/bin/a\nExecReload=/bin/r\n[Install]\nWantedBy=multi-user.target\n"
	for name, c := range map[string]struct {
		unit, old, new string
		want           Verdict
		keys           string
	}{
		"the same":                 {"a.service", service, service, Equal, ""},
		"another command":          {"a.service", service, strings.Replace(service, "/bin/a", "/bin/b", 1), Restart, "[Service] ExecStart="},
		"comments and space":       {"a.service", service, "# new\n\n" + strings.ReplaceAll(service, "=", " = "), Equal, ""},
		"a description":            {"a.service", service, strings.Replace(service, "=a\n", "=b\n", 1), Equal, ""},
		"every ignored key":        {"a.service", service, strings.Replace(service, "[Service]", "Documentation=x\nOnFailure=f.service\nOnSuccess=f.service\nOnFailureJobMode=fail\nIgnoreOnIsolate=yes\nStopWhenUnneeded=yes\nRefuseManualStart=yes\nRefuseManualStop=yes\nAllowIsolate=yes\nCollectMode=inactive\nSourcePath=/x\n[Service]", 1), Equal, ""},
		"an ignored key elsewhere": {"a.service", service, strings.Replace(service, "ExecStart", "Description=x\nExecStart", 1), Restart, "[Service] Description="},
		"installed elsewhere":      {"a.service", service, strings.Replace(service, "multi-user", "graphical", 1), Equal, ""},
		"lists have an order":      {"a.service", service, strings.Replace(service, "x.service y.service", "y.service x.service", 1), Restart, "[Unit] After="},
		"a list that was reset":    {"a.service", service, strings.Replace(service, "After=", "After=old.service\nAfter=\nAfter=", 1), Equal, ""},
		"a key is gone":            {"a.service", service, strings.Replace(service, "After=x.service y.service\n", "", 1), Restart, "[Unit] After="},
		"a section is new":         {"a.service", service, service + "[Slice]\nCPUWeight=10\n", Restart, "[Slice] CPUWeight="},
		"a section is gone":        {"a.service", service + "[Slice]\nCPUWeight=10\n", service, Restart, "[Slice] CPUWeight="},
		"reload in another way":    {"a.service", service, strings.Replace(service, "/bin/r", "/bin/s", 1), Reload, "[Service] ExecReload="},
		"a way to reload is new":   {"a.service", strings.Replace(service, "ExecReload=/bin/r\n", "", 1), service, Reload, "[Service] ExecReload="},
		"a way to reload is gone":  {"a.service", service, strings.Replace(service, "ExecReload=/bin/r\n", "", 1), Equal, ""},
		"reload triggers":          {"a.service", service, strings.Replace(service, "[Service]", "X-Reload-Triggers=1\n[Service]", 1), Reload, "[Unit] X-Reload-Triggers="},
		"no more reload triggers":  {"a.service", strings.Replace(service, "[Service]", "X-Reload-Triggers=1\n[Service]", 1), service, Equal, ""},
		"restart triggers":         {"a.service", service, strings.Replace(service, "[Service]", "X-Restart-Triggers=1\n[Service]", 1), Restart, "[Unit] X-Restart-Triggers="},
		"what a change would mean": {"a.service", service, strings.Replace(service, "ExecStart", "X-StopIfChanged=no\nX-RestartIfChanged=no\nExecStart", 1), Equal, ""},
		"restart beats reload":     {"a.service", service, strings.NewReplacer("/bin/a", "/bin/b", "/bin/r", "/bin/s").Replace(service), Restart, "[Service] ExecReload= [Service] ExecStart="},
		"mount options":            {"a.mount", "[Mount]\nWhat=/dev/a\nOptions=ro\n", "[Mount]\nWhat=/dev/a\nOptions=rw\n", Reload, "[Mount] Options="},
		"another device":           {"a.mount", "[Mount]\nWhat=/dev/a\nOptions=ro\n", "[Mount]\nWhat=/dev/b\nOptions=rw\n", Restart, "[Mount] Options= [Mount] What="},
		"an application's section": {"a.service", service, service + "[X-Mine]\nA=b\n", Equal, ""},
		"a socket":                 {"a.socket", "[Socket]\nListenStream=80\n", "[Socket]\nListenStream=81\n", Restart, "[Socket] ListenStream="},
	} {
		old, next := load(t, texts{lib + c.unit: c.old}, c.unit), load(t, texts{lib + c.unit: c.new}, c.unit)
		verdict, differences := Compare(old, next)
		var keys []string
		for _, d := range differences {
			keys = append(keys, fmt.Sprint(d))
		}
		if verdict != c.want || strings.Join(keys, " ") != c.keys {
			t.Errorf("%s: have %v %v", name, verdict, keys)
		}
	}
}

func TestDropInsAreCompared(t *testing.T) {
	old := load(t, texts{lib + "a.service": "[Service]\nExecStart=/bin/a\n", etc + "a.service.d/x.conf": "[Service]\nNice=5\n"}, "a.service")
	next := load(t, texts{lib + "a.service": "[Service]\nExecStart=/bin/a\n"}, "a.service")
	if verdict, _ := Compare(old, next); verdict != Restart {
		t.Error("a drop-in that is gone means nothing")
	}
}

func TestFstab(t *testing.T) {
	const table = `# comment
UUID=1234 / ext4 errors=remount-ro 0 1
/dev/vdb  /mnt/my\040data ext4 defaults,noatime 0 2
LABEL=x   /mnt/x xfs noauto 0 0
server:/y /mnt/y nfs nofail,x-systemd.automount
/dev/vdc  none swap sw
proc /proc
`
	files := Fstab(table)
	var names []string
	for name := range files {
		names = append(names, strings.TrimPrefix(name, "/run/systemd/generator/"))
	}
	for _, want := range []string{
		"-.mount", "local-fs.target.requires/-.mount", `mnt-my\x20data.mount`, `local-fs.target.requires/mnt-my\x20data.mount`,
		"mnt-x.mount", "mnt-y.mount", "mnt-y.automount", "remote-fs.target.wants/mnt-y.automount", "dev-vdc.swap", "swap.target.requires/dev-vdc.swap",
	} {
		if !strings.Contains("\n"+strings.Join(names, "\n")+"\n", "\n"+want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if len(names) != 10 {
		t.Errorf("have %q", names)
	}
	text, _ := files[`/run/systemd/generator/-.mount`].Read()
	if !strings.Contains(text, "What=/dev/disk/by-uuid/1234\nWhere=/\nType=ext4\nOptions=errors=remount-ro\n") {
		t.Error(text)
	}
}

func FuzzFstab(f *testing.F) {
	f.Add("UUID=1 / ext4 defaults 0 1\n//h/s /m\\040x cifs x-systemd.automount,nofail\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, file := range Fstab(text) {
			if file.Link == "" && file.Read == nil {
				t.Errorf("%q is nothing", name)
			}
		}
	})
}

func TestTextsThatSayTheSame(t *testing.T) {
	const text = "# a comment\n[Service]\nExecStart=/usr/bin/x\nNice=1\n"
	for other, want := range map[string]bool{
		"[Service]\nExecStart=/usr/bin/x\n\nNice = 1\n[Install]\nWantedBy=a.target\n": true,
		"[Unit]\n" + text:                           true,
		"[Service]\nExecStart=/usr/bin/x\n":         false,
		"[Service]\nExecStart=/usr/bin/y\nNice=1\n": false,
		"": false,
	} {
		if have := Same(text, other); have != want {
			t.Errorf("%q: %v, want %v", other, have, want)
		}
	}
}
