package edition

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/adopt"
	"stet/internal/config"
	"stet/internal/drift"
	"stet/internal/plan"
)

const (
	adoptedPasswd = "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33::/:/bin/false\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n"
	adoptedGroup  = "root:x:0:\nsudo:x:27:\nadm:x:4:ada\nwww:x:33:\nada:x:1000:\n"
)

// adopting edits a repository that has some files.
func adopting(t *testing.T, files map[string]string, there map[string]string, change func(*adopt.Machine), found ...drift.Finding) (adopted []drift.Finding, now map[string]string, left []adopt.Left) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	about := adopt.Machine{
		Drifted: map[string]plan.Drifted{}, Variables: map[string]string{}, Run: map[string]plan.RunFile{},
		Was: adopt.ParseAccounts(adoptedPasswd, adoptedGroup), Is: adopt.ParseAccounts(adoptedPasswd, adoptedGroup),
		Read: func(name string) ([]byte, error) {
			if text, ok := there[name]; ok {
				return []byte(text), nil
			}
			return nil, os.ErrNotExist
		},
		Lasting: func(device string) string { return "UUID=of" + strings.ReplaceAll(device, "/", "-") },
		Memory: func(point string) (string, uint32, error) {
			if strings.HasSuffix(point, "half") {
				return "", 0o755, nil
			}
			return "4096k", 0o1777, nil
		},
	}
	for _, f := range found {
		if f.Kind == drift.File {
			about.Drifted[f.Path] = plan.Drifted{Path: f.Path, Change: f.Change, Type: "file", Mode: 0o644}
		}
	}
	if change != nil {
		change(&about)
	}
	adopted, edited, left, err := Edition{c, "web"}.Adopt(t.Context(), about, found)
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, edited); err != nil {
		t.Fatal(err)
	}
	now = map[string]string{}
	for _, f := range edited {
		text, err := os.ReadFile(filepath.Join(dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		now[f.Name] = string(text)
	}
	return adopted, now, left
}

// before is a machine that a person wrote.
const before = `name: web # the shop's
base: minimal

# Who works here.
users:
  ada: {description: Ada, groups: [adm]} # on leave
services: {ssh: {}}

files:
  /etc/motd:
    text: "old\n"
  /etc/banner: {source: ./banner}
kernel: {parameters: [quiet]}
`

func TestFindingsBecomeOptions(t *testing.T) {
	files := map[string]string{"stet.yaml": before, "banner": "old\n"}
	file := func(change plan.Change, name string) drift.Finding {
		return drift.Finding{Kind: drift.File, Name: name, Path: name, Change: change}
	}
	drifted := func(d plan.Drifted) func(*adopt.Machine) {
		return func(m *adopt.Machine) { m.Drifted[d.Path] = d }
	}
	replace := strings.NewReplacer
	const sshd = "/etc/ssh/sshd_config.d/50-stet.conf"
	const sshdText = "# From services.ssh.\nPort 22\nPermitRootLogin no\nPasswordAuthentication no\nAuthorizedKeysFile /etc/ssh/authorized_keys.d/%u\n"
	for name, c := range map[string]struct {
		found  drift.Finding
		there  map[string]string
		change func(*adopt.Machine)
		want   string            // stet.yaml
		more   map[string]string // other files of the repository
	}{
		"a declared text": {
			found: file(plan.Modified, "/etc/motd"), there: map[string]string{"/etc/motd": "new\n"},
			want: replace(`"old\n"`, `"new\n"`).Replace(before),
		},
		"a file of the repository": {
			found: file(plan.Modified, "/etc/banner"), there: map[string]string{"/etc/banner": "new\n"},
			more: map[string]string{"banner": "new\n"},
		},
		"a file of nobody": {
			found: file(plan.Added, "/etc/new.conf"), there: map[string]string{"/etc/new.conf": "a = 1\nb = 2\n"},
			change: drifted(plan.Drifted{Path: "/etc/new.conf", Change: plan.Added, Type: "file", Mode: 0o664, UID: 1000, GID: 4}),
			want:   replace("./banner}\n", "./banner}\n  /etc/new.conf:\n    text: |\n      a = 1\n      b = 2\n    mode: \"0664\"\n    user: ada\n    group: adm\n").Replace(before),
		},
		"one that is no text": {
			found: file(plan.Added, "/etc/key"), there: map[string]string{"/etc/key": "\x00\x01"},
			want: replace("./banner}\n", "./banner}\n  /etc/key: {source: ./files/etc/key}\n").Replace(before),
			more: map[string]string{"files/etc/key": "\x00\x01"},
		},
		"a link": {
			found: file(plan.Added, "/etc/here"), change: drifted(plan.Drifted{Path: "/etc/here", Change: plan.Added, Type: "symlink", Target: "/srv"}),
			want: replace("./banner}\n", "./banner}\n  /etc/here: {link: /srv}\n").Replace(before),
		},
		"a link in the place of a text": {
			found: file(plan.Modified, "/etc/motd"), change: drifted(plan.Drifted{Path: "/etc/motd", Change: plan.Modified, Type: "symlink", Target: "/run/motd"}),
			want: replace("  /etc/motd:\n    text: \"old\\n\"\n", "", "./banner}\n", "./banner}\n  /etc/motd: {link: /run/motd}\n").Replace(before),
		},
		"another mode": {
			found: file(plan.Modified, "/etc/banner"), there: map[string]string{"/etc/banner": "old\n"},
			change: drifted(plan.Drifted{Path: "/etc/banner", Change: plan.Modified, Type: "file", Mode: 0o755}),
			want:   replace("./banner}", `./banner, mode: "0755"}`).Replace(before),
		},
		"a declared file that is gone": {
			found: file(plan.Deleted, "/etc/motd"), change: drifted(plan.Drifted{Path: "/etc/motd", Change: plan.Deleted}),
			want: replace("  /etc/motd:\n    text: \"old\\n\"\n", "").Replace(before),
		},
		"a package's file that is gone": {
			found: file(plan.Deleted, "/etc/issue"), change: drifted(plan.Drifted{Path: "/etc/issue", Change: plan.Deleted}),
			want: replace("./banner}\n", "./banner}\n  /etc/issue: {absent: true}\n").Replace(before),
		},
		"an option of a module": {
			found: file(plan.Modified, sshd), there: map[string]string{sshd: replace("Port 22", "Port 2222", "LoginPassword", "", "PasswordAuthentication no", "PasswordAuthentication yes").Replace(sshdText)},
			want: replace("{ssh: {}}", "{ssh: {password_authentication: true, port: 2222}}").Replace(before),
		},
		"the time zone": {
			found: file(plan.Modified, "/etc/localtime"), change: drifted(plan.Drifted{Path: "/etc/localtime", Change: plan.Modified, Type: "symlink", Target: "../usr/share/zoneinfo/Europe/Berlin"}),
			want: before + "timezone: Europe/Berlin\n",
		},
		"the host name": {
			found: file(plan.Modified, "/etc/hostname"), there: map[string]string{"/etc/hostname": "shop\n"},
			want: before + "hostname: shop\n",
		},
		"a unit that is enabled": {
			found:  drift.Finding{Kind: drift.Unit, Name: "a.service", Path: "/etc/systemd/system/multi-user.target.wants/a.service", Change: plan.Modified},
			change: drifted(plan.Drifted{Path: "/etc/systemd/system/multi-user.target.wants/a.service", Change: plan.Added, Type: "symlink", Target: "/usr/lib/systemd/system/a.service"}),
			want:   before + "units: {a.service: {enable: true}}\n",
		},
		"a user": {
			found: drift.Finding{Kind: drift.User, Name: "eve", Path: "/etc/passwd", Change: plan.Added},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(adoptedPasswd+"eve:x:1001:1001::/home/eve:/bin/sh\n", strings.Replace(adoptedGroup, "sudo:x:27:", "sudo:x:27:eve", 1)+"eve:x:1001:\n")
			},
			want: replace("# on leave\n", "# on leave\n  eve: {uid: 1001, shell: /bin/sh, groups: [sudo]}\n").Replace(before),
		},
		"a member": {
			found: drift.Finding{Kind: drift.Group, Name: "sudo", Path: "/etc/group", Change: plan.Modified},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(adoptedPasswd, strings.Replace(adoptedGroup, "sudo:x:27:", "sudo:x:27:ada", 1))
			},
			want: replace("groups: [adm]", "groups: [adm, sudo]").Replace(before),
		},
		"a shell": {
			found: drift.Finding{Kind: drift.User, Name: "ada", Path: "/etc/passwd", Change: plan.Modified},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(strings.Replace(adoptedPasswd, "/home/ada:/bin/bash", "/home/ada:/bin/sh", 1), adoptedGroup)
			},
			want: replace("groups: [adm]}", "groups: [adm], shell: /bin/sh}").Replace(before),
		},
		"a kernel variable": {
			found:  drift.Finding{Kind: drift.Variable, Name: "net.ipv4.ip_forward", Change: plan.Modified},
			change: func(m *adopt.Machine) { m.Variables["net.ipv4.ip_forward"] = "1" },
			want:   before + "sysctl: {net.ipv4.ip_forward: 1}\n",
		},
		"a parameter": {
			found: drift.Finding{Kind: drift.Parameter, Name: "debug", Change: plan.Added},
			want:  replace("[quiet]", "[quiet, debug]").Replace(before),
		},
		"a parameter that is gone": {
			found: drift.Finding{Kind: drift.Parameter, Name: "quiet", Change: plan.Deleted},
			want:  replace("[quiet]", "[]").Replace(before),
		},
	} {
		t.Run(name, func(t *testing.T) {
			adopted, now, left := adopting(t, files, c.there, c.change, c.found)
			want := map[string]string{}
			if c.want != "" {
				want["stet.yaml"] = c.want
			}
			for name, text := range c.more {
				want[name] = text
			}
			if diff := cmp.Diff(want, now); diff != "" || len(adopted) != 1 || len(left) != 0 {
				t.Errorf("%d adopted, left %v\n%s", len(adopted), left, diff)
			}
		})
	}
}

func TestWhatCannotBeAdoptedIsLeftWithItsReason(t *testing.T) {
	const sshd, dropIn = "/etc/ssh/sshd_config.d/50-stet.conf", "/etc/systemd/system/ssh.service.d/stet.conf"
	secret := drift.Finding{Kind: drift.File, Name: "/etc/secret", Path: "/etc/secret", Change: plan.Added}
	motd := drift.Finding{Kind: drift.File, Name: "/etc/motd", Path: "/etc/motd", Change: plan.Modified}
	found := []drift.Finding{
		secret, motd,
		{Kind: drift.File, Name: sshd, Path: sshd, Change: plan.Modified},
		{Kind: drift.File, Name: "/etc/fifo", Path: "/etc/fifo", Change: plan.Added},
		{Kind: drift.Unit, Name: "run-1.service", Change: plan.Added, Stops: "run-1.service"},
		{Kind: drift.Unit, Name: "a.service", Change: plan.Modified},
		{Kind: drift.User, Name: "ada", Path: "/etc/shadow", Change: plan.Modified},
		{Kind: drift.User, Name: "www", Path: "/etc/passwd", Change: plan.Modified},
		{Kind: drift.Unit, Name: "b.service", Path: "/run/systemd/system/b.service", Change: plan.Modified, Remedy: "`rm`"},
		{Kind: drift.Mount, Name: "/mnt", Path: "/mnt", Change: plan.Added},
		{Kind: drift.Mount, Name: "/usr/games", Path: "/usr/games", Change: plan.Added, Remedy: "`umount /usr/games`"},
		{Kind: drift.Port, Name: "8080/tcp", Change: plan.Added, Remedy: "`kill 1`"},
		{Kind: drift.Port, Name: "8081/tcp", Change: plan.Added, Stops: "run-1.service", Unit: "run-1.service"},
		{Kind: drift.Scheduled, Name: "crontab of ada", Path: "/var/spool/cron/crontabs/ada", Change: plan.Added, Remedy: "`crontab -u ada -r` removes it"},
		{Kind: drift.Scheduled, Name: "at job 3", Path: "/var/spool/cron/atjobs/a", Change: plan.Added, Remedy: "`atrm 3` removes it"},
		{Kind: drift.State, Name: "/var/lib/dpkg", Path: "/var/lib/dpkg", Change: plan.Modified, Remedy: "`ln`"},
		{Kind: drift.Module, Name: "mine", Change: plan.Added, Remedy: "`modprobe -r mine`"},
		{Kind: drift.Damage, Name: "/usr/bin/x", Change: plan.Modified},
		{Kind: drift.File, Name: "/etc/marked", Path: "/etc/marked", Change: plan.Added},
		{Kind: drift.File, Name: "/etc/huge", Path: "/etc/huge", Change: plan.Added},
		{Kind: drift.File, Name: dropIn, Path: dropIn, Change: plan.Modified},
		{Kind: drift.Boot, Name: "/efi/EFI/x", Path: "/efi/EFI/x", Change: plan.Added, Remedy: "`rm`"},
	}
	there := map[string]string{"/etc/motd": "new\n", "/etc/secret": "s", dropIn: "[Service]\nNice=1\n", sshd: "Port 2222\nX11Forwarding yes\n"}
	adopted, now, left := adopting(t, map[string]string{"stet.yaml": before, "banner": "x"}, there, func(m *adopt.Machine) {
		m.Drifted["/etc/secret"] = plan.Drifted{Path: "/etc/secret", Change: plan.Added, Type: "file", Mode: 0o600}
		m.Mounts = []drift.Mounted{{Point: "/mnt", Type: "nfs4", Source: "server:/srv", Root: "/"}, {Point: "/usr/games", Type: "tmpfs", Source: "x", Root: "/"}}
		m.Drifted["/etc/marked"] = plan.Drifted{Path: "/etc/marked", Change: plan.Added, Type: "file", Mode: 0o644, Attributes: []string{"user.note"}}
		m.Drifted["/etc/huge"] = plan.Drifted{Path: "/etc/huge", Change: plan.Added, Type: "file", Mode: 0o644, Size: 2 << 30} // and cannot be read
		m.Drifted["/etc/fifo"] = plan.Drifted{Path: "/etc/fifo", Change: plan.Added, Type: "other", Mode: 0o644}
		m.Is = adopt.ParseAccounts(strings.Replace(adoptedPasswd, "/bin/false", "/bin/sh", 1), adoptedGroup)
	}, found...)
	if len(adopted) != 1 || adopted[0] != motd || now["stet.yaml"] != strings.Replace(before, "old", "new", 1) {
		t.Errorf("adopted %v\n%s", adopted, now["stet.yaml"])
	}
	var have []string
	for _, l := range left {
		if l.Why == "" || l.Remedy == "" && l.Finding.Kind != drift.Damage {
			t.Errorf("left without a reason, or what to do: %+v", l)
		}
		have = append(have, fmt.Sprintf("%s: %s", l.Finding.Name, l.Why))
	}
	want := []string{
		"/etc/secret: others may not read it, and a repository is read by many",
		sshd + ": " + sshd + ": some lines stand for no option",
		"/etc/fifo: it is neither a file nor a directory nor a link",
		"run-1.service: nobody knows how it was started",
		"a.service: a failure is nothing to declare",
		"ada: a password is in no configuration",
		"www: no option declares this user: it is of a package",
		"b.service: it says nothing that a configuration can have",
		"/mnt: how it is to be found at the next start is not known",
		"/usr/games: it hides what is declared",
		"8080/tcp: a program that somebody started is nothing to declare",
		"8081/tcp: nothing declares run-1.service, which has it",
		"crontab of ada: it is a person's: cron reads no table there that a system has",
		"at job 3: it runs once",
		"/var/lib/dpkg: the link leads to what belongs to the generation",
		"mine: nobody knows where it is from",
		"/usr/bin/x: a system is whole, or is not",
		"/etc/marked: no option stands for its attributes: user.note",
		"/etc/huge: it has more than 16 MiB, and a repository is kept for ever",
		dropIn + ": a module writes it",
		"/efi/EFI/x: what the boot loader reads follows from the generations",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

// The system that runs was built before the repository said something else.
func TestARepositoryThatMovedOnIsNotSetBack(t *testing.T) {
	const sshd = "/etc/ssh/sshd_config.d/50-stet.conf"
	const was = "# From services.ssh.\nPort 22\nPermitRootLogin no\nPasswordAuthentication no\nAuthorizedKeysFile /etc/ssh/authorized_keys.d/%u\n"
	moved := strings.NewReplacer("ssh: {}", "ssh: {port: 2200}", `"old\n"`, `"newer\n"`).Replace(before)
	files := map[string]string{"stet.yaml": moved, "banner": "newer\n"}
	built := map[string]string{"/etc/motd": "old\n", "/etc/banner": "old\n", sshd: was, "/etc/other": "old\n"}
	there := map[string]string{"/etc/motd": "mine\n", "/etc/banner": "mine\n", sshd: strings.Replace(was, "Login no", "Login yes", 1), "/etc/other": "mine\n"}
	var found []drift.Finding
	for _, name := range []string{"/etc/motd", "/etc/banner", sshd, "/etc/other"} {
		found = append(found, drift.Finding{Kind: drift.File, Name: name, Path: name, Change: plan.Modified})
	}
	asBuilt := func(m *adopt.Machine) {
		m.Before = func(name string) ([]byte, bool) { text, ok := built[name]; return []byte(text), ok }
	}
	adopted, now, left := adopting(t, files, there, asBuilt, found...)
	if len(adopted) != 1 || adopted[0].Name != "/etc/other" || len(left) != 3 || now["banner"] != "" {
		t.Errorf("adopted %v, left %v", adopted, left)
	}
	for _, l := range left {
		if l.Why != "the repository declares another content by now than the system that runs has" || !strings.Contains(l.Remedy, "stet adopt "+l.Finding.Path) {
			t.Errorf("%s: %s; %s", l.Finding.Name, l.Why, l.Remedy)
		}
	}
	if text := now["stet.yaml"]; !strings.Contains(text, "port: 2200") || !strings.Contains(text, "newer") {
		t.Errorf("the repository was set back:\n%s", text)
	}

	// A person who names them is told by the edit what goes.
	named := func(m *adopt.Machine) { asBuilt(m); m.Named = true }
	adopted, now, left = adopting(t, files, there, named, found...)
	if len(adopted) != 4 || len(left) != 0 || now["banner"] != "mine\n" || strings.Contains(now["stet.yaml"], "2200") {
		t.Errorf("named: adopted %v, left %v\n%s", adopted, left, now["stet.yaml"])
	}
}

func TestOneEditsAtATime(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	var busy *BusyError
	if _, err := Lock(dir); !errors.As(err, &busy) || busy.Dir != dir {
		t.Errorf("the second one is told %v", err)
	}
	unlock()
	if unlock, err = Lock(dir); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestAMachineInCUEIsEditedWhereItIsDeclared(t *testing.T) {
	files := map[string]string{
		"roles.cue":    "package stet\n\n_server: {\n\tbase: \"minimal\"\n\tfiles: \"/etc/issue\": text: *\"x\\n\" | _\n}\n",
		"machines.cue": "package stet\n\n// The shop.\nmachines: web: _server & {\n\tfiles: \"/etc/motd\": text: \"old\\n\" // a greeting\n}\n",
	}
	motd := drift.Finding{Kind: drift.File, Name: "/etc/motd", Path: "/etc/motd", Change: plan.Modified}
	variable := drift.Finding{Kind: drift.Variable, Name: "vm.swappiness", Change: plan.Modified}
	adopted, now, left := adopting(t, files, map[string]string{"/etc/motd": "new\n"}, func(m *adopt.Machine) { m.Variables["vm.swappiness"] = "10" }, motd, variable)
	if len(adopted) != 2 || len(left) != 0 || len(now) != 1 {
		t.Errorf("adopted %v, left %v, files %v", adopted, left, now)
	}
	want := "package stet\n\n// The shop.\nmachines: web: _server & {\n\tfiles: \"/etc/motd\": text: \"new\\n\" // a greeting\n\tsysctl: \"vm.swappiness\": 10\n}\n"
	if diff := cmp.Diff(want, now["machines.cue"]); diff != "" {
		t.Error(diff)
	}
}
