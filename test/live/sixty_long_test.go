//go:build long

package live_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/vm"
	"stet/test/chance"
	"stet/test/guest"
	"stet/test/program"
)

// idle is how long nobody does anything to the machine, while all that it does by
// itself happens: a minute for each round, ten at most.
func idle(t *testing.T) time.Duration {
	return min(10, time.Duration(chance.Rounds(t, 5))) * time.Minute
}

// A deviation is one thing that drift tells after a person did something.
type deviation struct {
	do   string // a line of shell; empty when the one before did it, too
	told string // as "CHANGE KIND NAME: WHAT"
	left string // how the reason begins why adopt leaves it; empty when it takes it
	by   string // the line of shell that takes it away, where no undo does

	// What no copy brings back: a revert says so.
	lost bool
}

// file is a line of shell that writes a text.
func file(name, text string) string {
	return "mkdir -p " + filepath.Dir(name) + " && cat >" + name + " <<'EOF'\n" + text + "EOF\n"
}

// server is a unit that listens.
func server(port int) string {
	return fmt.Sprintf("[Service]\nExecStart=/usr/bin/perl -MIO::Socket::INET -e '@s = IO::Socket::INET->new(Listen => 1, LocalPort => %d) or die; sleep'\n", port)
}

func listens(port int) string {
	return fmt.Sprintf("i=0; until ss -Hltn | grep -q ':%d '; do i=$((i+1)); test $i -lt 600 || exit 1; sleep 0.2; done", port)
}

const (
	once       = "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n"
	onceAtBoot = once + "[Install]\nWantedBy=multi-user.target\n"
)

// sixty are what people do to a machine: with editors, account tools, systemctl, pip,
// curl | sh, cron and mount. DEVICE is what has the state.
var sixty = []deviation{
	{do: "echo changed >/etc/motd", told: "modified file /etc/motd"},
	{do: "printf 'a = 1\\nb = 2\\n' >/etc/new.conf; chmod 664 /etc/new.conf", told: "added file /etc/new.conf"},
	{do: "echo 'export MINE=1' >/etc/profile.d/mine.sh", told: "added file /etc/profile.d/mine.sh"},
	{do: "mkdir -p /etc/deep/er; echo x >/etc/deep/er/file", told: "added file /etc/deep/er/file"},
	{do: "mkdir /etc/empty", told: "added file /etc/empty: is a directory"},
	{do: "ln -s /srv/www /etc/www", told: "added file /etc/www: leads to /srv/www"},
	{do: "rm /etc/issue", told: "deleted file /etc/issue"},
	{do: "rm /etc/page.conf", told: "deleted file /etc/page.conf"},
	{do: "chmod 755 /etc/issue.net", told: "modified file /etc/issue.net: mode 0755, declared 0644"},
	{do: "chown ada: /etc/host.conf", told: "modified file /etc/host.conf: owner 1000:1000, declared 0:0"},
	// setxattr(2): no package of the machine has setfattr(1). Perl wants variables there.
	{do: `perl -e '($f, $n, $v) = ("/etc/hosts", "user.note", "x"); syscall(188, $f, $n, $v, 1, 0) == 0 or die $!'`, told: "modified file /etc/hosts: with other attributes: user.note", left: "no option stands for its attributes"},
	{do: "mkfifo /etc/pipe", told: "added file /etc/pipe: is no file, directory or link", left: "it is neither a file nor", lost: true},
	{do: "echo secret >/etc/secret; chmod 600 /etc/secret", told: "added file /etc/secret", left: "others may not read it"},
	{do: "seq 2000 >/etc/numbers", told: "added file /etc/numbers"},
	{do: "ln -sfn ../usr/share/zoneinfo/Asia/Tokyo /etc/localtime", told: "modified file /etc/localtime: leads to ../usr/share/zoneinfo/Asia/Tokyo"},
	{do: "echo shop >/etc/hostname", told: "modified file /etc/hostname"},
	{do: "sed -i 's/^PermitRootLogin .*/PermitRootLogin prohibit-password/' /etc/ssh/sshd_config.d/50-stet.conf", told: "modified file /etc/ssh/sshd_config.d/50-stet.conf"},
	{do: "echo '7 7 * * * root true' >/etc/cron.d/mine", told: "added file /etc/cron.d/mine"},
	{do: file("/etc/systemd/system/mine.service", server(8083)), told: "added file /etc/systemd/system/mine.service"},
	{do: file("/etc/systemd/system/loud.service", onceAtBoot), told: "added file /etc/systemd/system/loud.service"},
	{do: "systemctl enable --quiet loud.service", told: "modified unit loud.service: is enabled: multi-user.target wants it"},
	{do: file("/etc/systemd/system/tick.service", once), told: "added file /etc/systemd/system/tick.service"},
	{do: file("/etc/systemd/system/tick.timer", "[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n"), told: "added file /etc/systemd/system/tick.timer"},
	{do: "systemctl enable --quiet --now tick.timer", told: "modified unit tick.timer: is enabled: timers.target wants it"},
	{do: file("/etc/systemd/system/nginx.service.d/override.conf", "[Service]\nNice=5\n"), told: "added file /etc/systemd/system/nginx.service.d/override.conf"},

	{do: "systemctl disable --quiet hello.service", told: "modified unit hello.service: is disabled: multi-user.target no longer wants it"},
	{do: "systemctl enable --quiet spare.service", told: "modified unit spare.service: is enabled: multi-user.target wants it"},
	{do: "systemctl mask --quiet getty@tty2.service", told: "modified unit getty@tty2.service: is masked"},
	{do: "systemctl mask --quiet --runtime rescue.service", told: "modified unit rescue.service: is masked for this run"},
	{do: "mkdir -p /run/systemd/system/multi-user.target.wants; ln -s /etc/systemd/system/idle.service /run/systemd/system/multi-user.target.wants/; systemctl daemon-reload", told: "modified unit idle.service: is enabled for this run: multi-user.target wants it"},
	{do: "systemctl set-property --runtime nginx.service CPUWeight=50", told: "modified unit nginx.service: has the drop-in 50-CPUWeight.conf: CPUWeight=50", by: "rm -r /run/systemd/system.control/nginx.service.d; systemctl daemon-reload"},
	{do: file("/run/systemd/system/passing.service", server(8082)) + "systemctl daemon-reload", told: "added unit passing.service: has a unit file for this run only", by: "systemctl stop passing.service; rm /run/systemd/system/passing.service; systemctl daemon-reload"},
	// systemd-run takes what begins with a dollar for a variable.
	{do: "systemd-run --quiet --unit=left-over --uid=ada perl -MIO::Socket::INET -e '@s = IO::Socket::INET->new(Listen => 1, LocalPort => 8080) or die; sleep'; " + listens(8080), told: "added unit left-over.service: runs, and is written down nowhere"},
	{do: "systemd-run --quiet --unit=broken false; until systemctl is-failed -q broken; do sleep 0.2; done", told: "added unit broken.service: has failed, and is written down nowhere", left: "a failure is nothing to declare"},

	{do: "useradd -m eve", told: "added user eve: uid 1001, home /home/eve"},
	{told: "added group eve: gid 1001"},
	{do: "usermod -s /bin/dash ada", told: "modified user ada: shell /bin/dash, declared /bin/bash"},
	{do: "usermod -c 'Web server' www-data", told: "modified user www-data: comment Web server, declared www-data"},
	{do: "usermod -p x games", told: "modified user games: another password", left: "a password is in no configuration"},
	{do: "groupadd -g 2001 lab; gpasswd -a ada lab", told: "added group lab: gid 2001, has ada"},
	{do: "usermod -aG adm ada", told: "modified group adm: has ada, too"},
	{do: "usermod -aG video www-data", told: "modified group video: has www-data, too"},

	{told: "added port 8080/tcp: perl of ada, in left-over.service"},
	{do: "systemctl start passing.service; " + listens(8082), told: "added port 8082/tcp: perl of root, in passing.service", by: "! systemctl is-active passing.service"},
	{do: "systemctl daemon-reload; systemctl start mine.service; " + listens(8083), told: "added port 8083/tcp: perl of root, in mine.service"},

	{do: file("/run/install.sh", "printf '#!/bin/sh\\necho tool\\n' >/usr/local/bin/tool && chmod 755 /usr/local/bin/tool\n") + "curl -fsS file:///run/install.sh | sh", told: "added software /usr/local/bin/tool: of root", by: "rm /usr/local/bin/tool"},
	{do: "ln -s /usr/bin/true /usr/local/sbin/really", told: "added software /usr/local/sbin/really: leads to /usr/bin/true", by: "rm /usr/local/sbin/really"},
	{do: "cd /usr/local/lib && mkdir -p python3.13/dist-packages/__pycache__ && echo pass >python3.13/dist-packages/six.py && echo compiled >python3.13/dist-packages/__pycache__/six.cpython-313.pyc", told: "added software /usr/local/lib/python3.13: directory with 2 files, of root", by: "rm -r /usr/local/lib/python3.13"},
	{do: "mkdir -p /opt/vendor/bin /opt/vendor/share && printf '#!/bin/sh\\nexec wc -c </opt/vendor/share/data\\n' >/opt/vendor/bin/run && chmod 755 /opt/vendor/bin/run && printf '\\001\\002\\003' >/opt/vendor/share/data", told: "added software /opt/vendor: directory with 2 files, of root", by: "rm -r /opt/vendor"},
	{do: "mkdir /opt/many && cd /opt/many && touch $(seq 100)", told: "added software /opt/many: directory with 100 files, of root", left: "it has more than 64 files", by: "rm -r /opt/many"},

	{do: "echo '5 5 * * * true' | crontab -u ada -", told: "added scheduled crontab of ada: 1 entry", left: "it is a person's", by: "crontab -u ada -r"},

	{do: "mkdir -p /mnt/www && mount --bind /srv/www /mnt/www", told: "added mount /mnt/www: /state/srv/www of DEVICE (ext4), declared nowhere"},
	{do: "mkdir -p /mnt/notes && mount -t tmpfs -o size=8m notes /mnt/notes", told: "added mount /mnt/notes: notes (tmpfs), declared nowhere"},
	{do: "mount -t tmpfs over /usr/games", told: "added mount /usr/games: over (tmpfs), over what is declared", left: "it hides what is declared", by: "umount /usr/games"},

	{do: "mkdir /efi/EFI/other && echo x >/efi/EFI/other/x.efi", told: "added boot /efi/EFI/other: Stet did not put it there", left: "what the boot loader reads", by: "rm -r /efi/EFI/other"},
	{do: "echo 'timeout 9' >/efi/loader/loader.conf", told: "modified boot /efi/loader/loader.conf: is not what Stet wrote", left: "what the boot loader reads", by: "echo 'timeout 3' >/efi/loader/loader.conf"},
	{do: file("/efi/loader/entries/other.conf", "title Other\nefi /EFI/other/x.efi\n"), told: "added boot /efi/loader/entries/other.conf: Stet did not put it there", left: "what the boot loader reads", by: "rm /efi/loader/entries/other.conf"},
	{do: "ln -sfn /var/backups /var/lib/dpkg", told: "modified state /var/lib/dpkg: leads to /var/backups, declared /usr/lib/sysimage/dpkg", left: "the link leads to what belongs", by: "ln -sfn /usr/lib/sysimage/dpkg /var/lib/dpkg"},

	{do: "sysctl -qw net.ipv4.ip_forward=0", told: "modified sysctl net.ipv4.ip_forward: 0, declared 1"},
	{do: "sysctl -qw vm.swappiness=5", told: "modified sysctl vm.swappiness: 5, declared 20"},
}

// told is a finding as stet tells it in JSON.
type told struct{ Kind, Name, Change, What, Path string }

func (f told) String() string {
	return strings.TrimSuffix(f.Change+" "+f.Kind+" "+f.Name+": "+f.What, ": ")
}

// drifted is what the machine says of itself.
func drifted(t *testing.T, m *guest.Machine) (lines []string, at map[string]string) {
	t.Helper()
	var report struct{ Findings []told }
	if err := json.Unmarshal([]byte(m.Run(t, "stet drift --json 2>/dev/null")), &report); err != nil {
		t.Fatal(err)
	}
	at = map[string]string{}
	for _, f := range report.Findings {
		lines = append(lines, f.String())
		at[f.String()] = f.Path
	}
	slices.Sort(lines)
	return lines, at
}

// differs compares what drift tells with some of the deviations.
func differs(t *testing.T, m *guest.Machine, when string, these []deviation, which func(deviation) bool) (at map[string]string) {
	t.Helper()
	want := []string{}
	for _, d := range these {
		if which(d) {
			want = append(want, d.told)
		}
	}
	slices.Sort(want)
	have, at := drifted(t, m)
	if diff := cmp.Diff(want, append([]string{}, have...)); diff != "" {
		t.Errorf("%s (-want +have): %s", when, diff)
	}
	return at
}

// TestSixtyDeviations does to a machine what people do. All of it is told and nothing
// else, also when the machine was let alone; all of it can be undone, and what was in
// /etc comes back; and adopted and built anew, the machine is what is declared, and what
// people did to it works still. `make test-long` runs it; by itself it takes the better
// part of an hour without KVM:
//
//	go test -count=1 -timeout 90m -tags long -run TestSixtyDeviations ./test/live
func TestSixtyDeviations(t *testing.T) {
	if len(sixty) != 60 {
		t.Fatalf("there are %d deviations", len(sixty))
	}
	stet := program.Example(t, "hello")
	name := filepath.Join(stet.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	declared := strings.NewReplacer(
		"files:\n", "files:\n  /etc/page.conf: {text: \"a = 1\\n\"}\n",
		"units:\n", fmt.Sprintf("units:\n  spare.service: {text: %q}\n  idle.service: {text: %[1]q}\n", onceAtBoot),
		"sysctl: {net.ipv4.ip_forward: 1}", "sysctl: {net.ipv4.ip_forward: 1, vm.swappiness: 20}",
	).Replace(string(text))
	if err := os.WriteFile(name, []byte(declared), 0o644); err != nil {
		t.Fatal(err)
	}
	built, disk := stet.Build(t), filepath.Join(t.TempDir(), "disk.raw")
	stet.Must(t, "image", "-o", disk)
	m := guest.StartDisk(t, built, disk, func(c *vm.Config) { c.Memory = 2048 })
	if state := m.Booted(t); state != "running" {
		t.Fatalf("it is %s: %s", state, m.Run(t, "systemctl --failed --no-legend"))
	}
	these := slices.Clone(sixty)
	device := m.Run(t, "findmnt --noheadings --nofsroot --output SOURCE /srv")
	for i := range these {
		these[i].told = strings.ReplaceAll(these[i].told, "DEVICE", device)
	}
	none := func(deviation) bool { return false }
	all := func(deviation) bool { return true }
	differs(t, m, "nobody did anything", these, none)

	for _, d := range these {
		if d.do != "" {
			m.Run(t, d.do)
		}
	}
	at := differs(t, m, "after sixty deviations", these, all)
	inEtc := func(d deviation) bool { return strings.HasPrefix(at[d.told], "/etc/") && !d.lost }

	// What the machine does by itself is none.
	m.Run(t, "systemctl list-timers --all --plain --no-legend | awk '{print $NF}' | xargs -n 1 systemctl start || true") // drift tells what fails
	time.Sleep(idle(t))
	differs(t, m, "after all timers, and idle", these, all)

	t.Run("undo", func(t *testing.T) {
		m.Run(t, "stet undo --all")
		differs(t, m, "after an undo", these, func(d deviation) bool { return d.by != "" })
		for _, d := range these {
			if d.by != "" {
				m.Run(t, d.by)
			}
		}
		if have := m.Run(t, "stet drift"); !strings.HasPrefix(have, "hello is what") {
			t.Errorf("after all was undone: %s", have)
		}
		if out := m.Run(t, "stet undo --revert 2>&1"); !strings.Contains(out, "/etc/pipe") {
			t.Errorf("it does not say what does not come back: %s", out)
		}
		differs(t, m, "after the revert", these, inEtc)
	})
	for _, d := range these {
		if d.do != "" && !inEtc(d) {
			m.Run(t, d.do)
		}
	}
	differs(t, m, "after it was done once more", these, all)

	adopted(t, m, stet, these)
	bring(t, m, sent(t, stet), "adopted")
	// What was left goes; a password is no reason to ask, and goes with the switch.
	var left []string
	for _, d := range these {
		switch {
		case d.left == "" || strings.Contains(d.told, "password"):
		case d.by != "":
			m.Run(t, d.by)
		default:
			left = append(left, strings.TrimSuffix(strings.Fields(d.told)[2], ":"))
		}
	}
	m.Run(t, "stet undo "+strings.Join(left, " "))
	m.Run(t, "stet switch --from /run/adopted >/run/report 2>&1 || { cat /run/report; exit 1; }")
	differs(t, m, "after the switch to what was adopted", these, none)
	works(t, m, "8080 8082 8083")
	rebooted(t, m)
	differs(t, m, "after a start", these, none)
	works(t, m, "8080") // the others were started once
}

// adopted takes all into a repository on the machine, and then into that of the host,
// which locks it.
func adopted(t *testing.T, m *guest.Machine, stet program.Program, these []deviation) {
	t.Helper()
	m.Run(t, "mkdir /run/repository")
	for _, name := range []string{"stet.yaml", "index.html"} {
		file, err := os.Open(filepath.Join(stet.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := m.WriteFile(t.Context(), "/run/repository/"+name, 0o644, file); err != nil {
			t.Fatal(err)
		}
	}
	out, status := m.Try(t, "stet -C /run/repository --json adopt --all 2>/run/adopt.log")
	var report struct {
		Adopted []told
		Left    []struct {
			Finding     told
			Why, Remedy string
		}
		Files []struct{ Name, Diff string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 3 {
		t.Fatalf("exit status %d, %v: %s\n%s", status, err, out, m.Run(t, "cat /run/adopt.log"))
	}
	reasons := map[string]string{}
	for _, l := range report.Left {
		reasons[l.Finding.String()] = l.Why
		if l.Why == "" || l.Remedy == "" {
			t.Errorf("%s is left without saying why, and what to do: %+v", l.Finding, l)
		}
	}
	takes := map[string]bool{}
	for _, f := range report.Adopted {
		takes[f.String()] = true
	}
	for _, d := range these {
		why, isLeft := reasons[d.told]
		if takes[d.told] == isLeft || isLeft != (d.left != "") || !strings.HasPrefix(why, d.left) {
			t.Errorf("%s: adopted %v, left because of %q, want %q", d.told, takes[d.told], why, d.left)
		}
	}
	for _, f := range report.Files {
		t.Logf("%s\n%s", f.Name, f.Diff)
		content, err := m.ReadFile(t.Context(), "/run/repository/"+f.Name)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(stet.Dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stet.Must(t, "lock")
}

// works looks whether what people did is there, with the ports that programs have.
func works(t *testing.T, m *guest.Machine, ports string) {
	t.Helper()
	for _, c := range []struct{ line, want string }{
		{"cat /etc/motd /etc/new.conf /etc/deep/er/file /etc/hostname; stat -c '%a' /etc/new.conf; wc -l </etc/numbers", "changed\na = 1\nb = 2\nx\nshop\n664\n2000"},
		{"readlink /etc/www; ls /etc/issue /etc/page.conf 2>/dev/null || echo gone; stat -c '%a' /etc/issue.net; stat -c '%U:%G' /etc/host.conf; test -d /etc/empty && echo empty", "/srv/www\ngone\n755\nada:ada\nempty"},
		{"readlink -f /etc/localtime; cat /etc/timezone; sshd -T | grep '^permitrootlogin'", "/usr/share/zoneinfo/Asia/Tokyo\nAsia/Tokyo\npermitrootlogin without-password"},
		{"for unit in hello.service spare.service loud.service tick.timer idle.service getty@tty2.service rescue.service; do systemctl is-enabled $unit; done || true", "disabled\nenabled\nenabled\nenabled\nenabled\nmasked\nmasked"},
		{"systemctl show --property=Nice --property=CPUWeight nginx.service | sort; systemctl is-active nginx.service", "CPUWeight=50\nNice=5\nactive"},
		{"getent passwd eve ada; getent passwd www-data | cut -d: -f5; id -Gn ada; id -nG www-data", "eve:x:1001:1001::/home/eve:/bin/sh\nada:x:1000:1000:Ada Lovelace:/home/ada:/bin/dash\nWeb server\nada adm sudo lab\nwww-data video"},
		{"for port in 8080 8082 8083; do ss -Hltn | grep -q \":$port \" && echo $port; done | tr '\\n' ' '", ports},
		{"tool; really && echo yes; /opt/vendor/bin/run; cat /usr/local/lib/python3.13/dist-packages/six.py", "tool\nyes\n3\npass"},
		{"cat /mnt/www/index.html | grep -c 'written down'; findmnt -no FSTYPE,SIZE /mnt/notes | tr -s ' '", "1\ntmpfs 8M"},
		{"sysctl -n net.ipv4.ip_forward vm.swappiness; ls /etc/secret 2>/dev/null; getent shadow games | cut -d: -f2", "0\n5\n*"},
	} {
		if have := m.Run(t, c.line); have != c.want {
			t.Errorf("%s\nhave %s\nwant %s", c.line, have, c.want)
		}
	}
}
