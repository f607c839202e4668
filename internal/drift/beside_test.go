package drift

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
	"stet/internal/residue"
	"stet/internal/tree"
	"stet/internal/verity"
)

// bootedMounts are those of a machine of Debian 13 right after a boot, with ssh,
// somebody logged in, an ESP and a declared data disk.
const bootedMounts = `/ tmpfs tmpfs /
/usr overlay stet:usr:aa /
/etc overlay stet:etc:bb /
/stet ext4 /dev/vda /
/var ext4 /dev/vda /state/var
/home ext4 /dev/vda /state/home
/root ext4 /dev/vda /state/root
/srv ext4 /dev/vda /state/srv
/opt ext4 /dev/vda /state/opt
/run tmpfs tmpfs /
/run/stet/bin ext4 /dev/vda /bin
/proc proc proc /
/sys sysfs sysfs /
/dev devtmpfs devtmpfs /
/dev/pts devpts devpts /
/dev/shm tmpfs tmpfs /
/dev/mqueue mqueue mqueue /
/dev/hugepages hugetlbfs hugetlbfs /
/run/lock tmpfs tmpfs /
/sys/fs/cgroup cgroup2 cgroup2 /
/sys/fs/pstore pstore none /
/sys/fs/bpf bpf bpf /
/sys/fs/fuse/connections fusectl fusectl /
/sys/kernel/security securityfs securityfs /
/sys/kernel/debug debugfs debugfs /
/sys/kernel/tracing tracefs tracefs /
/sys/kernel/config configfs configfs /
/sys/firmware/efi/efivars efivarfs efivarfs /
/proc/sys/fs/binfmt_misc autofs systemd-1 /
/proc/sys/fs/binfmt_misc binfmt_misc binfmt_misc /
/run/credentials/systemd-journald.service tmpfs tmpfs /
/run/credentials/getty@tty1.service tmpfs tmpfs /
/run/user/1000 tmpfs tmpfs /
/tmp tmpfs tmpfs /
/efi autofs systemd-1 /
/efi vfat /dev/vda1 /
/data ext4 /dev/vdb /
`

// booted is what else is seen of such a machine.
func booted(s *Seen) {
	for line := range strings.Lines(bootedMounts) {
		f := strings.Fields(line)
		s.Mounts = append(s.Mounts, Mounted{Point: f[0], Type: f[1], Source: f[2], Root: f[3]})
	}
	s.Facts.Run = map[string]plan.RunFile{
		"/run/systemd/generator/data.mount":                                              {Text: "[Mount]\n"},
		"/run/systemd/generator.early/stet-agent.service":                                {Text: "[Service]\n"},
		"/run/systemd/system/stet.mount.d/stet.conf":                                     {Text: "[Unit]\n"},
		"/run/systemd/system/var.mount":                                                  {Text: "[Unit]\n"},
		"/run/systemd/system/efi.mount":                                                  {Text: "[Unit]\n"},
		"/run/systemd/system/efi.automount":                                              {Text: "[Unit]\n"},
		"/run/systemd/system/local-fs.target.wants/efi.automount":                        {Link: "../efi.automount"},
		`/run/systemd/system/dev-disk-by\x2dpartuuid-0\x2d1.swap`:                        {Text: "[Swap]\n"},
		`/run/systemd/system/swap.target.wants/dev-disk-by\x2dpartuuid-0\x2d1.swap`:      {Link: "../x"},
		"/run/systemd/system/stet-agent.service":                                         {Text: "[Service]\n"},
		"/run/systemd/system/sysinit.target.wants/stet-agent.service":                    {Link: "../stet-agent.service"},
		"/run/systemd/system/serial-getty@ttyS0.service.d/stet-vm.conf":                  {Text: "[Service]\n"},
		"/run/systemd/transient/session-1.scope":                                         {Text: "[Scope]\n"},
		"/run/systemd/transient/stet-switch.service":                                     {Text: "[Service]\n"},
		"/run/systemd/transient/session-1.scope.d/50-x.conf":                             {Text: "[Scope]\n"},
		"/run/systemd/generator.late/multi-user.target.wants/made-by-a-generator.target": {Link: "../x"},
	}
	in := func(unit, user string) []Process {
		return []Process{{PID: 10, Name: "x", User: "root", Program: "/usr/sbin/x", Packaged: true, Unit: unit, UserUnit: user}}
	}
	any, here := netip.IPv6Unspecified(), netip.MustParseAddr("127.0.0.1")
	s.Sockets = []Socket{
		{"tcp", any, 22, in("ssh@1.service", "")}, {"tcp", any, 80, in("a.service", "")}, {"tcp", any, 631, in("init.scope", "")},
		{"udp", here, 51820, nil}, {"tcp", here, 4000, in("user@1000.service", "sync.service")}, {"tcp", here, 4001, in("user@1000.service", "init.scope")},
		{"tcp", any, 1716, in("user@1000.service", `app-org.kde.connect\x2ddaemon@autostart.service`)},
	}
	loaded, kinds := "timeout 3\n", "type1\n"
	s.ESP = []ESPFile{
		{Path: "EFI/BOOT/BOOTX64.EFI", Known: true, Text: new(string)}, {Path: "loader/loader.conf", Known: true, Text: &loaded, Want: &loaded},
		{Path: "loader/entries.srel", Known: true, Text: &kinds, Want: &kinds}, {Path: "loader/entries/stet-1.conf", Known: true, Text: &kinds, Want: &kinds},
		{Path: "loader/random-seed"},
	}
	s.Modules = []LoadedModule{{"nvidia", "POE", true}}
}

func TestAMachineThatBootedHasNotDrifted(t *testing.T) {
	found, noise := find(t, booted)
	if len(found) > 0 {
		t.Errorf("%q", lines(found))
	}
	if have := lines(noise); len(have) != 1 || noise[0].Name != "/efi/loader/random-seed" || noise[0].Noise == "" {
		t.Errorf("noise is %q", have)
	}
}

func TestWhatIsBesideTheFilesOfEtcIsFound(t *testing.T) {
	by := func(unit, user string) []Process {
		return []Process{{PID: 1234, Name: "python3", User: "ada", Program: "/usr/bin/python3.13", Packaged: true, Unit: unit, UserUnit: user}}
	}
	all, here := netip.IPv4Unspecified(), netip.MustParseAddr("::1")
	open := func(holders []Process, addresses ...netip.Addr) func(*Seen) {
		return func(s *Seen) {
			for _, a := range addresses {
				s.Sockets = append(s.Sockets, Socket{"tcp", a, 8080, holders})
			}
		}
	}
	mounted := func(m ...Mounted) func(*Seen) {
		return func(s *Seen) { s.Mounts = append(s.Mounts, m...) }
	}
	run := func(name string, file plan.RunFile) func(*Seen) {
		return func(s *Seen) { s.Facts.Run[name] = file }
	}
	esp := func(name string, text, want *string) func(*Seen) {
		return func(s *Seen) { s.ESP = append(s.ESP, ESPFile{Path: name, Known: want != nil, Text: text, Want: want}) }
	}
	one, two := "one\n", "two\n"
	for name, c := range map[string]struct {
		happens      func(*Seen)
		want, remedy string // remedy or what is stopped
	}{
		"a disk is mounted": {
			mounted(Mounted{Point: "/mnt", Type: "ext4", Source: "/dev/vdb1", Root: "/"}),
			"added mount /mnt: /dev/vdb1 (ext4), declared nowhere [unmounts it]", "mnt.mount",
		},
		"a directory is shown elsewhere": {
			mounted(Mounted{Point: "/srv/www", Type: "ext4", Source: "/dev/vda", Root: "/state/home/ada"}),
			"added mount /srv/www: /state/home/ada of /dev/vda (ext4), declared nowhere [unmounts it]", "srv-www.mount",
		},
		"something is mounted below /usr": {
			mounted(Mounted{Point: "/usr/games", Type: "tmpfs", Source: "tmpfs", Root: "/"}),
			"added mount /usr/games: tmpfs, over what is declared [unmounts it]", "`umount /usr/games`",
		},
		"something is mounted on /var": {
			mounted(Mounted{Point: "/var", Type: "tmpfs", Source: "x", Root: "/"}),
			"added mount /var: x (tmpfs), over what is declared [unmounts it]", "`umount /var`",
		},
		"the state is mounted on itself once more": {
			mounted(Mounted{Point: "/var", Type: "ext4", Source: "/dev/vda", Root: "/state/var"}),
			"added mount /var: /state/var of /dev/vda (ext4), over what is declared [unmounts it]", "`umount /var`",
		},
		"an automount of a person's": {
			func(s *Seen) {
				s.Facts.Run["/run/systemd/transient/mnt.automount"] = plan.RunFile{}
				s.Mounts = append(s.Mounts, Mounted{Point: "/mnt", Type: "autofs", Source: "systemd-1", Root: "/"})
			},
			"added mount /mnt: systemd-1 (autofs), declared nowhere [unmounts it]", "mnt.mount",
		},
		"a server of a session": {
			open(by("session-3.scope", ""), all),
			"added port 8080/tcp: python3 of ada, started by hand [ends the program]", "`kill 1234`",
		},
		"a server of a session, for this machine only": {
			open(by("serial-getty@ttyS0.service", ""), here, here),
			"added port 8080/tcp: python3 of ada, started by hand; only this machine reaches it [ends the program]", "`kill 1234`",
		},
		"a server on several addresses": {
			open(by("session-3.scope", ""), here, all, here),
			"added port 8080/tcp: python3 of ada, started by hand [ends the program]", "`kill 1234`",
		},
		"a server of a unit of the user's": {
			open(by("user@1000.service", "mine.service"), all),
			"added port 8080/tcp: python3 of ada, in mine.service of the user's own [ends the program]", "`kill 1234`",
		},
		"a server of a unit that somebody wrote": {
			open(by("mine.service", ""), all),
			"added port 8080/tcp: python3 of ada, in mine.service [ends the program]", "`kill 1234`",
		},
		"a server of a transient unit": {
			func(s *Seen) {
				s.Facts.Run[transient+"run-1.service"] = plan.RunFile{}
				open(by("run-1.service", ""), all)(s)
			},
			"added port 8080/tcp: python3 of ada, in run-1.service [stops run-1.service]", "run-1.service",
		},
		"a server that is of no package": {
			open([]Process{{PID: 7, Name: "d", User: "root", Program: "/tmp/d (deleted)", Unit: "session-3.scope"}}, all),
			"added port 8080/tcp: d of root (/tmp/d (deleted)), started by hand [ends the program]", "`kill 7`",
		},
		"a server in a container": {
			open(by("docker-1.scope", ""), all),
			"added port 8080/tcp: python3 of ada, in docker-1.scope [stops docker-1.scope]", "`systemctl stop docker-1.scope`",
		},
		"a server of an autostart that nobody declared": {
			open(by("user@1000.service", "app-mine@autostart.service"), all),
			"added port 8080/tcp: python3 of ada, in app-mine@autostart.service of the user's own [ends the program]", "`kill 1234`",
		},
		"a property is set": {
			run("/run/systemd/system.control/a.service.d/50-CPUQuota.conf", plan.RunFile{Text: "# written by systemctl\n[Service]\nCPUQuota=20%\n"}),
			"modified unit a.service: has the drop-in 50-CPUQuota.conf: CPUQuota=20% [removes it]", "`rm /run/systemd/system.control/a.service.d/50-CPUQuota.conf`, then `systemctl daemon-reload`",
		},
		"a unit is masked for this run": {
			run("/run/systemd/system/a.service", plan.RunFile{Link: "/dev/null"}),
			"modified unit a.service: is masked for this run [unmasks it]", "",
		},
		"a unit is enabled for this run": {
			run("/run/systemd/system/multi-user.target.wants/a.service", plan.RunFile{Link: "/usr/lib/systemd/system/a.service"}),
			"modified unit a.service: is enabled for this run: multi-user.target wants it [disables it]", "",
		},
		"a unit has another file": {
			run("/run/systemd/system/a.service", plan.RunFile{Text: "[Service]\n"}),
			"modified unit a.service: has another unit file for this run [removes it]", "`rm /run/systemd/system/a.service`, then `systemctl daemon-reload`",
		},
		"a unit is new": {
			run("/run/systemd/system/b.timer", plan.RunFile{Text: "[Timer]\n"}),
			"added unit b.timer: has a unit file for this run only [removes it]", "`rm /run/systemd/system/b.timer`, then `systemctl daemon-reload`",
		},
		"a tool": {
			func(s *Seen) {
				s.Placed = []Placed{{Path: "/usr/local/bin/tool", Type: tree.Regular.String(), User: "root"}}
			},
			"added software /usr/local/bin/tool: of root [archives and removes it]", "`stet state clean /usr/local/bin/tool` archives and removes it",
		},
		"a whole tree": {
			func(s *Seen) {
				s.Placed = []Placed{{Path: "/opt/app", Type: tree.Directory.String(), User: "ada", Files: 10000, More: true}}
			},
			"added software /opt/app: directory with more than 10000 files, of ada [archives and removes it]", "`stet state clean /opt/app` archives and removes it",
		},
		"something in the place of a package's": {
			func(s *Seen) {
				s.Placed = []Placed{{Path: "/opt/app", Type: tree.Symlink.String(), Target: "/srv/app", User: "ada", Instead: true}}
			},
			"modified software /opt/app: leads to /srv/app; the system has something else there [puts the system's in its place]", "move it away; the next system with another /var puts the system's there",
		},
		"a table of cron": {
			func(s *Seen) { s.Schedules = []Schedule{{User: "ada", Entries: 1}} },
			"added scheduled crontab of ada: 1 entry [removes it]", "`crontab -u ada -r` removes it; `crontab -u ada -l` prints it",
		},
		"a job of at": {
			func(s *Seen) { s.Schedules = []Schedule{{User: "ada", Job: 3, Due: time.Unix(0, 0)}} },
			"added scheduled at job 3: of ada, due 1970-01-01T00:00:00Z [removes it]", "`atrm 3` removes it; `at -c 3` prints it",
		},
		"a link that became a directory": {
			func(s *Seen) {
				s.Links = []Link{{Path: "/var/lib/dpkg", Target: "/usr/lib/sysimage/dpkg", Type: tree.Directory.String()}}
			},
			"modified state /var/lib/dpkg: is a directory, declared a link to /usr/lib/sysimage/dpkg [puts the link back]", "move it away, then `ln -s /usr/lib/sysimage/dpkg /var/lib/dpkg`",
		},
		"a link that is gone": {
			func(s *Seen) { s.Links = []Link{{Path: "/var/lib/dpkg", Target: "/usr/lib/sysimage/dpkg"}} },
			"deleted state /var/lib/dpkg: led to /usr/lib/sysimage/dpkg [puts the link back]", "`ln -s /usr/lib/sysimage/dpkg /var/lib/dpkg`",
		},
		"a link that leads elsewhere": {
			func(s *Seen) {
				s.Links = []Link{{Path: "/var/lib/dpkg", Target: "/usr/lib/sysimage/dpkg", Type: tree.Symlink.String(), To: "/srv"}}
			},
			"modified state /var/lib/dpkg: leads to /srv, declared /usr/lib/sysimage/dpkg [puts the link back]", "`ln -sfn /usr/lib/sysimage/dpkg /var/lib/dpkg`",
		},
		"a module of no package": {
			func(s *Seen) { s.Modules = []LoadedModule{{"mine", "OE", false}} },
			"added kernel module mine: is not of the kernel's sources; is not signed; no package of this system has it [unloads it]", "`modprobe -r mine`, or a reboot",
		},
		"another system on the ESP": {
			esp("EFI/debian", nil, nil),
			"added boot /efi/EFI/debian: Stet did not put it there [removes it]", "`rm -r /efi/EFI/debian`, if nobody starts by it",
		},
		"the loader's configuration": {
			esp("loader/loader.conf", &one, &two),
			"modified boot /efi/loader/loader.conf: is not what Stet wrote [puts it back]", "write what it was, `two`, into it",
		},
		"a boot entry": {
			esp("loader/entries/stet-1.conf", &one, &two),
			"modified boot /efi/loader/entries/stet-1.conf: is not what Stet wrote [puts it back]", "`stet boot` writes it anew",
		},
		"the loader's configuration is gone": {
			esp("loader/loader.conf", nil, &two),
			"deleted boot /efi/loader/loader.conf:  [puts it back]", "write what it was, `two`, into it",
		},
		"an entry is chosen": {
			func(s *Seen) { s.Firmware = map[string]string{"LoaderEntryDefault": "stet-3.conf"} },
			"added boot LoaderEntryDefault: the firmware was told to start stet-3.conf [lets the order of the entries decide]", "`bootctl set-default \"\"`",
		},
		"an entry is chosen once": {
			func(s *Seen) { s.Firmware = map[string]string{"LoaderEntryOneShot": "stet-3.conf"} },
			"added boot LoaderEntryOneShot: the firmware was told to start stet-3.conf once [lets the order of the entries decide]", "`bootctl set-oneshot \"\"`",
		},
	} {
		t.Run(name, func(t *testing.T) {
			found, _ := find(t, func(s *Seen) {
				booted(s)
				c.happens(s)
			})
			if len(found) != 1 {
				t.Fatalf("found %q", lines(found))
			}
			if diff := cmp.Diff(c.want, lines(found)[0]); diff != "" {
				t.Error(diff)
			}
			if have := found[0].Remedy + found[0].Stops; have != c.remedy {
				t.Errorf("what undoes it is %q, want %q", have, c.remedy)
			}
		})
	}
}

func TestNoiseIsToldWithItsReason(t *testing.T) {
	found, noise := find(t, func(s *Seen) {
		s.Facts.Drift = []plan.Drifted{
			{Path: "/etc/kept", Change: plan.Added, Type: "file", Persisted: true},
			{Path: "/etc/shadow", Change: plan.Modified, Type: "file", Persisted: true},
			{Path: "/etc/shadow-", Change: plan.Added, Type: "file"},
		}
		s.Mounts = []Mounted{{Point: "/media/ada/stick", Type: "vfat", Source: "/dev/sdb1", Root: "/"}}
		s.Sockets = []Socket{{"tcp", netip.MustParseAddr("127.0.0.1"), 6010, []Process{{Name: "sshd-session", User: "ada", Program: "/usr/lib/openssh/sshd-session", Packaged: true, Unit: "session-1.scope"}}}}
	})
	if len(found) > 0 {
		t.Errorf("found %q", lines(found))
	}
	have := map[string]string{}
	for _, n := range noise {
		have[n.Name] = n.Noise
	}
	want := map[string]string{
		"/etc/kept": "the machine is to keep it", "/etc/shadow": "only what users may choose themselves is another",
		"/etc/shadow-": "the account tools keep what was there before", "/media/ada/stick": "a person plugged a disk in, and udisks shows it",
		"6010/tcp": "SSH forwards the display of somebody who is logged in",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func TestEveryRuleOfNoiseIsOfAKind(t *testing.T) {
	table, err := residue.BuiltinNoise()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range table.Kinds() {
		if !slices.Contains(Kinds(), Kind(kind)) {
			t.Errorf("there is no kind %q", kind)
		}
	}
}

// TestWhatMattersMostComesFirst holds that the first three findings are about who gets
// in, what can be reached, and what runs, whatever else there is and what it is called.
func TestWhatMattersMostComesFirst(t *testing.T) {
	everywhere, here := netip.IPv6Unspecified(), netip.MustParseAddr("127.0.0.1")
	found, _ := find(t, func(s *Seen) {
		s.Variables["net.ipv4.ip_forward"] = "0"
		s.Mounts = []Mounted{{Point: "/mnt", Type: "ext4", Source: "/dev/vdb", Root: "/"}}
		s.Sockets = []Socket{
			{"tcp", here, 1080, []Process{{PID: 1, Unit: "session-1.scope"}}}, {"tcp", everywhere, 8080, []Process{{PID: 2, Unit: "session-1.scope"}}},
		}
		s.Passwd += "eve:x:1001:1001::/home/eve:/bin/sh\n"
		s.Group += "aaa:x:1001:\n"
		units := &s.Facts.Managers[0].Units
		(*units)[0].Active = "failed"
		*units = append(*units, plan.RunningUnit{Name: "left-over.service", Active: "active", Fragment: transient + "left-over.service"})
		s.Schedules = []Schedule{{Path: "/var/spool/cron/crontabs/ada", User: "ada", Entries: 1}}
		s.Placed = []Placed{{Path: "/usr/local/bin/tool", Type: "file", User: "root"}}
		s.Facts.Drift = []plan.Drifted{
			{Path: "/etc/aa", Change: plan.Modified, Type: "file"}, {Path: "/etc/ab", Change: plan.Added, Type: "file"}, {Path: "/etc/motd", Change: plan.Deleted},
		}
	})
	var have []string
	for _, f := range found {
		have = append(have, fmt.Sprintf("%s %s %s", f.Change, f.Kind, f.Name))
	}
	want := []string{
		"added user eve", "added port 8080/tcp", "added port 1080/tcp", "added unit left-over.service", "modified unit a.service", "added scheduled crontab of ada",
		"added mount /mnt", "modified file /etc/aa", "added file /etc/ab", "deleted file /etc/motd", "added software /usr/local/bin/tool", "modified sysctl net.ipv4.ip_forward",
		"added group aaa",
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

// TestWhatTheSystemSaysTooIsNoDeviation has in /run what was adopted: the next start takes
// it from the system.
func TestWhatTheSystemSaysTooIsNoDeviation(t *testing.T) {
	w := &world{map[string]*tree.Tree{}, map[verity.Digest][]byte{}}
	files := maps.Clone(declared)
	files["/etc/systemd/system/b.service"] = "[Service]\nExecStart=/usr/bin/b\n[Install]\nWantedBy=multi-user.target\n"
	files["/etc/systemd/system/run-1.service"] = files["/etc/systemd/system/b.service"]
	files["/etc/systemd/system/a.service.d/50-CPUWeight.conf"] = "[Service]\nCPUWeight=50\n"
	seen := asDeclared()
	seen.Facts.Run = map[string]plan.RunFile{
		"/run/systemd/system/b.service":                                   {Text: "[Service]\nExecStart=/usr/bin/b\n"},
		"/run/systemd/transient/run-1.service":                            {Text: "# Do not edit.\n[Service]\nExecStart=/usr/bin/b\n"},
		"/run/systemd/system.control/a.service.d/50-CPUWeight.conf":       {Text: "# Do not edit.\n[Service]\nCPUWeight=50\n"},
		"/run/systemd/system.control/b.service.d/50-CPUWeight.conf":       {Text: "[Service]\nCPUWeight=50\n"},
		"/run/systemd/system/run-1.service.d/x.conf":                      {Text: "[Service]\n"},
		"/run/systemd/system/multi-user.target.wants/b.service":           {Link: "../b.service"},
		"/run/systemd/transient/run-2.service":                            {Text: "[Service]\nExecStart=/usr/bin/b\n"},
		"/run/systemd/generator.late/multi-user.target.wants/late.target": {Link: "../x"},
	}
	seen.Facts.Managers[0].Units = append(seen.Facts.Managers[0].Units,
		plan.RunningUnit{Name: "run-1.service", Active: "active", Fragment: transient + "run-1.service"},
		plan.RunningUnit{Name: "run-2.service", Active: "active", Fragment: transient + "run-2.service"})
	found, noise, err := Find(w, w.system(t, files), seen)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"modified unit b.service: has the drop-in 50-CPUWeight.conf: CPUWeight=50 [removes it]",
		"modified unit b.service: is enabled for this run: multi-user.target wants it [disables it]",
		"modified unit run-1.service: has the drop-in x.conf [removes it]",
		"added unit run-2.service: runs, and is written down nowhere [stops it]",
	}
	slices.Sort(want)
	have := lines(found)
	slices.Sort(have)
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"a.service", "b.service", "run-1.service"} {
		if !slices.ContainsFunc(noise, func(n Finding) bool { return n.Name == name && n.Noise != "" }) {
			t.Errorf("%s is not told as noise: %q", name, lines(noise))
		}
	}
}
