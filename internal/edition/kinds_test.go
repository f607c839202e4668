package edition

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/adopt"
	"stet/internal/drift"
	"stet/internal/plan"
)

// A machine as YAML and as CUE, without its users, which come last.
const (
	plainYAML = "name: web\nbase: minimal\nusers:\n%s"
	plainCUE  = "package stet\n\nmachines: web: {\n\tbase: \"minimal\"\n%s}\n"
)

// TestEveryKindBecomesWhatItIs adopts one finding, or several that belong together, in
// YAML and in CUE.
func TestEveryKindBecomesWhatItIs(t *testing.T) {
	unit := func(name, path string, change plan.Change) drift.Finding {
		return drift.Finding{Kind: drift.Unit, Name: name, Path: path, Change: change}
	}
	etc := func(name string) drift.Finding {
		return drift.Finding{Kind: drift.File, Name: name, Path: name, Change: plan.Added}
	}
	placed := func(name string) drift.Finding {
		return drift.Finding{Kind: drift.Software, Name: name, Path: name, Change: plan.Added, Remedy: "`stet state clean`"}
	}
	mounted := func(name string) drift.Finding {
		return drift.Finding{Kind: drift.Mount, Name: name, Path: name, Change: plan.Added, Stops: "x.mount"}
	}
	run := func(text string, names ...string) func(*adopt.Machine) {
		return func(m *adopt.Machine) {
			for _, name := range names {
				m.Run[name] = plan.RunFile{Text: text}
			}
		}
	}
	link := func(name, target string) func(*adopt.Machine) {
		return func(m *adopt.Machine) { m.Run[name] = plan.RunFile{Link: target} }
	}
	mounts := func(m *adopt.Machine) {
		m.Mounts = []drift.Mounted{
			{Point: "/stet", Type: "ext4", Source: "/dev/vda2", Root: "/"}, {Point: "/srv", Type: "ext4", Source: "/dev/vda2", Root: "/state/srv"},
			{Point: "/mnt/data", Type: "ext4", Source: "/dev/vdb1", Root: "/", Options: "ro,nosuid,relatime"},
			{Point: "/mnt/part", Type: "ext4", Source: "/dev/vdb1", Root: "/a/b", Options: "ro,relatime"},
			{Point: "/mnt/twice", Type: "ext4", Source: "/dev/vdb1", Root: "/", Options: "rw,relatime"},
			{Point: "/mnt/www", Type: "ext4", Source: "/dev/vda2", Root: "/state/srv/www", Options: "rw,relatime"},
			{Point: "/mnt/scratch", Type: "tmpfs", Source: "none", Root: "/", Options: "rw,noexec,nosuid,relatime"},
			{Point: "/mnt/half", Type: "tmpfs", Source: "none", Root: "/", Options: "rw,relatime"},
		}
	}
	const service = "[Service]\nExecStart=/usr/bin/true\n"
	const head = "# This is a transient unit file, created programmatically via the systemd API. Do not edit.\n"
	regular := func(name string, mode uint32) plan.Drifted {
		return plan.Drifted{Path: name, Change: plan.Added, Type: "file", Mode: mode}
	}
	for name, c := range map[string]struct {
		found     []drift.Finding
		there     map[string]string
		change    func(*adopt.Machine)
		yaml, cue string            // what is said, too
		more      map[string]string // other files of the repository
	}{
		"a unit of a person's": {
			yaml:  "  ada: {}\nunits:\n  a.service:\n    text: |\n      [Service]\n      ExecStart=/usr/bin/true\n",
			cue:   "\tusers: ada: {}\n\tunits: \"a.service\": text: \"\"\"\n\t\t[Service]\n\t\tExecStart=/usr/bin/true\n\n\t\t\"\"\"\n",
			found: []drift.Finding{etc("/etc/systemd/system/a.service")}, there: map[string]string{"/etc/systemd/system/a.service": service},
		},
		"a drop-in": {
			yaml:  "  ada: {}\nunits:\n  a@1.timer:\n    drop_ins:\n      override: |\n        [Timer]\n        OnBootSec=1\n",
			cue:   "\tusers: ada: {}\n\tunits: \"a@1.timer\": drop_ins: override: \"\"\"\n\t\t[Timer]\n\t\tOnBootSec=1\n\n\t\t\"\"\"\n",
			found: []drift.Finding{etc("/etc/systemd/system/a@1.timer.d/override.conf")}, there: map[string]string{"/etc/systemd/system/a@1.timer.d/override.conf": "[Timer]\nOnBootSec=1\n"},
		},
		"what systemd does not read": {
			yaml:  "  ada: {}\nfiles:\n  /etc/systemd/system/notes.txt:\n    text: \"x\\n\"\n",
			cue:   "\tusers: ada: {}\n\tfiles: \"/etc/systemd/system/notes.txt\": text: \"x\\n\"\n",
			found: []drift.Finding{etc("/etc/systemd/system/notes.txt")}, there: map[string]string{"/etc/systemd/system/notes.txt": "x\n"},
		},
		"a drop-in for this run": {
			yaml:   "  ada: {}\nunits:\n  a.service:\n    drop_ins:\n      50-CPUWeight: |\n        [Service]\n        CPUWeight=50\n",
			cue:    "\tusers: ada: {}\n\tunits: \"a.service\": drop_ins: \"50-CPUWeight\": \"\"\"\n\t\t[Service]\n\t\tCPUWeight=50\n\n\t\t\"\"\"\n",
			found:  []drift.Finding{unit("a.service", "/run/systemd/system.control/a.service.d/50-CPUWeight.conf", plan.Modified)},
			change: run("# written by systemctl\n# an equivalent\n[Service]\nCPUWeight=50\n", "/run/systemd/system.control/a.service.d/50-CPUWeight.conf"),
		},
		"a unit for this run": {
			yaml:  "  ada: {}\nunits:\n  a.service:\n    text: |\n      [Service]\n      ExecStart=/usr/bin/true\n",
			cue:   "\tusers: ada: {}\n\tunits: \"a.service\": text: \"\"\"\n\t\t[Service]\n\t\tExecStart=/usr/bin/true\n\n\t\t\"\"\"\n",
			found: []drift.Finding{unit("a.service", "/run/systemd/system/a.service", plan.Added)}, change: run(service, "/run/systemd/system/a.service"),
		},
		"one that is masked for this run": {
			yaml:  "  ada: {}\nunits:\n  a.service:\n    mask: true\n",
			cue:   "\tusers: ada: {}\n\tunits: \"a.service\": mask: true\n",
			found: []drift.Finding{unit("a.service", "/run/systemd/system/a.service", plan.Modified)}, change: link("/run/systemd/system/a.service", "/dev/null"),
		},
		"one that is enabled for this run": {
			yaml:  "  ada: {}\nunits:\n  a.service:\n    enable: true\n",
			cue:   "\tusers: ada: {}\n\tunits: \"a.service\": enable: true\n",
			found: []drift.Finding{unit("a.service", "/run/systemd/system/b.target.wants/a.service", plan.Modified)}, change: link("/run/systemd/system/b.target.wants/a.service", "/usr/lib/systemd/system/a.service"),
		},
		"a transient unit, and its port": {
			yaml: "  ada: {}\nunits:\n  run-1.service:\n    enable: true\n    text: |\n      [Service]\n      ExecStart=/usr/bin/true\n\n      [Install]\n      WantedBy=multi-user.target\n",
			cue:  "\tusers: ada: {}\n\tunits: \"run-1.service\": {\n\t\tenable: true\n\t\ttext: \"\"\"\n\t\t\t[Service]\n\t\t\tExecStart=/usr/bin/true\n\n\t\t\t[Install]\n\t\t\tWantedBy=multi-user.target\n\n\t\t\t\"\"\"\n\t}\n",
			found: []drift.Finding{
				{Kind: drift.Port, Name: "80/tcp", Change: plan.Added, Stops: "run-1.service", Unit: "run-1.service"},
				{Kind: drift.Unit, Name: "run-1.service", Change: plan.Added, Stops: "run-1.service"},
			},
			change: run(head+service, "/run/systemd/transient/run-1.service"),
		},
		"a transient timer": {
			yaml:   "  ada: {}\nunits:\n  run-1.timer:\n    enable: true\n    text: |\n      [Service]\n      ExecStart=/usr/bin/true\n\n      [Install]\n      WantedBy=timers.target\n  run-1.service:\n    text: |\n      [Service]\n      ExecStart=/usr/bin/true\n",
			cue:    "\tusers: ada: {}\n\tunits: \"run-1.timer\": {\n\t\tenable: true\n\t\ttext: \"\"\"\n\t\t\t[Service]\n\t\t\tExecStart=/usr/bin/true\n\n\t\t\t[Install]\n\t\t\tWantedBy=timers.target\n\n\t\t\t\"\"\"\n\t}\n\tunits: \"run-1.service\": text: \"\"\"\n\t\t[Service]\n\t\tExecStart=/usr/bin/true\n\n\t\t\"\"\"\n",
			found:  []drift.Finding{{Kind: drift.Unit, Name: "run-1.timer", Change: plan.Added, Stops: "run-1.timer"}},
			change: run(head+service, "/run/systemd/transient/run-1.timer", "/run/systemd/transient/run-1.service"),
		},
		"a script": {
			yaml:  "  ada: {}\nfiles:\n  /usr/local/bin/tool:\n    text: |\n      #!/bin/sh\n      echo tool\n    mode: \"0755\"\n",
			cue:   "\tusers: ada: {}\n\tfiles: \"/usr/local/bin/tool\": {\n\t\ttext: \"\"\"\n\t\t\t#!/bin/sh\n\t\t\techo tool\n\n\t\t\t\"\"\"\n\t\tmode: \"0755\"\n\t}\n",
			found: []drift.Finding{placed("/usr/local/bin/tool")}, there: map[string]string{"/usr/local/bin/tool": "#!/bin/sh\necho tool\n"},
			change: func(m *adopt.Machine) {
				m.Below = below(regular("/usr/local/bin/tool", 0o755))
			},
		},
		"a program": {
			yaml:  "  ada: {}\nfiles:\n  /opt/tool/bin:\n    directory: true\n    mode: \"0750\"\n  /opt/tool/bin/tool:\n    source: ./files/opt/tool/bin/tool\n    mode: \"4755\"\n  /opt/tool/run:\n    link: bin/tool\n",
			cue:   "\tusers: ada: {}\n\tfiles: \"/opt/tool/bin\": {\n\t\tdirectory: true\n\t\tmode:      \"0750\"\n\t}\n\tfiles: \"/opt/tool/run\": link: \"bin/tool\"\n\tfiles: \"/opt/tool/bin/tool\": {\n\t\tsource: \"./files/opt/tool/bin/tool\"\n\t\tmode:   \"4755\"\n\t}\n",
			found: []drift.Finding{placed("/opt/tool")}, there: map[string]string{"/opt/tool/bin/tool": "\x7fELF"}, more: map[string]string{"files/opt/tool/bin/tool": "\x7fELF"},
			change: func(m *adopt.Machine) {
				m.Below = below(
					plan.Drifted{Path: "/opt/tool", Change: plan.Added, Type: "directory", Mode: 0o755},
					plan.Drifted{Path: "/opt/tool/bin", Change: plan.Added, Type: "directory", Mode: 0o750},
					regular("/opt/tool/bin/tool", 0o4755),
					plan.Drifted{Path: "/opt/tool/run", Change: plan.Added, Type: "symlink", Mode: 0o777, Target: "bin/tool"},
				)
			},
		},
		"what pip installs": {
			yaml:  "  ada: {}\nfiles:\n  /usr/local/lib/python3.13/dist-packages/six.py:\n    text: \"pass\\n\"\n",
			cue:   "\tusers: ada: {}\n\tfiles: \"/usr/local/lib/python3.13/dist-packages/six.py\": text: \"pass\\n\"\n",
			found: []drift.Finding{placed("/usr/local/lib/python3.13")}, there: map[string]string{"/usr/local/lib/python3.13/dist-packages/six.py": "pass\n"},
			change: func(m *adopt.Machine) {
				m.Below = below(
					plan.Drifted{Path: "/usr/local/lib/python3.13", Change: plan.Added, Type: "directory", Mode: 0o755},
					regular("/usr/local/lib/python3.13/dist-packages/six.py", 0o644),
					plan.Drifted{Path: "/usr/local/lib/python3.13/dist-packages/__pycache__", Change: plan.Added, Type: "directory", Mode: 0o700},
					regular("/usr/local/lib/python3.13/dist-packages/__pycache__/six.pyc", 0o600),
				)
			},
		},
		"a disk": {
			yaml:  "  ada: {}\nstorage:\n  mounts:\n    /mnt/data:\n      what: UUID=of-dev-vdb1\n      type: ext4\n      options: [nofail, ro, nosuid]\n",
			cue:   "\tusers: ada: {}\n\tstorage: mounts: \"/mnt/data\": {\n\t\twhat: \"UUID=of-dev-vdb1\"\n\t\ttype: \"ext4\"\n\t\toptions: {nofail: {}, ro: {}, nosuid: {}}\n\t}\n",
			found: []drift.Finding{mounted("/mnt/data")}, change: mounts},
		"a directory, once more": {
			yaml:  "  ada: {}\nstorage:\n  mounts:\n    /mnt/www:\n      what: /srv/www\n      type: none\n      options: [bind]\n",
			cue:   "\tusers: ada: {}\n\tstorage: mounts: \"/mnt/www\": {\n\t\twhat: \"/srv/www\"\n\t\ttype: \"none\"\n\t\toptions: bind: {}\n\t}\n",
			found: []drift.Finding{mounted("/mnt/www")}, change: mounts},
		"a part of a disk": {
			yaml:  "  ada: {}\nstorage:\n  mounts:\n    /mnt/part:\n      what: /mnt/data/a/b\n      type: none\n      options: [bind, ro]\n",
			cue:   "\tusers: ada: {}\n\tstorage: mounts: \"/mnt/part\": {\n\t\twhat: \"/mnt/data/a/b\"\n\t\ttype: \"none\"\n\t\toptions: {bind: {}, ro: {}}\n\t}\n",
			found: []drift.Finding{mounted("/mnt/part")}, change: mounts,
		},
		"a disk, once more": {
			yaml:  "  ada: {}\nstorage:\n  mounts:\n    /mnt/twice:\n      what: /mnt/data\n      type: none\n      options: [bind]\n",
			cue:   "\tusers: ada: {}\n\tstorage: mounts: \"/mnt/twice\": {\n\t\twhat: \"/mnt/data\"\n\t\ttype: \"none\"\n\t\toptions: bind: {}\n\t}\n",
			found: []drift.Finding{mounted("/mnt/twice")}, change: mounts,
		},
		"a file system in memory": {
			yaml:  "  ada: {}\nstorage:\n  tmpfs:\n    /mnt/scratch:\n      size: 4096k\n      mode: \"1777\"\n      options: [noexec]\n",
			cue:   "\tusers: ada: {}\n\tstorage: tmpfs: \"/mnt/scratch\": {\n\t\tsize: \"4096k\"\n\t\tmode: \"1777\"\n\t\toptions: noexec: {}\n\t}\n",
			found: []drift.Finding{mounted("/mnt/scratch")}, change: mounts},
		"one of the usual size": {
			yaml:  "  ada: {}\nstorage:\n  tmpfs:\n    /mnt/half: {}\n",
			cue:   "\tusers: ada: {}\n\tstorage: tmpfs: \"/mnt/half\": {}\n",
			found: []drift.Finding{mounted("/mnt/half")}, change: mounts},
		"a file that a module writes unless somebody else does": {
			yaml:  "  ada: {}\nfiles:\n  /etc/fstab:\n    text: \"/swap none swap sw 0 0\\n\"\n",
			cue:   "\tusers: ada: {}\n\tfiles: \"/etc/fstab\": text: \"/swap none swap sw 0 0\\n\"\n",
			found: []drift.Finding{{Kind: drift.File, Name: "/etc/fstab", Path: "/etc/fstab", Change: plan.Modified}}, there: map[string]string{"/etc/fstab": "/swap none swap sw 0 0\n"},
		},
		"a user of a package": {
			yaml:  "  ada: {}\n  www:\n    system: true\n    home: /srv\n    shell: /bin/sh\n    description: Web\n",
			cue:   "\tusers: {ada: {}, www: {system: true, home: \"/srv\", shell: \"/bin/sh\", description: \"Web\"}}\n",
			found: []drift.Finding{{Kind: drift.User, Name: "www", Path: "/etc/passwd", Change: plan.Modified}},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(strings.Replace(adoptedPasswd, "::/:/bin/false", ":Web:/srv:/bin/sh", 1), adoptedGroup)
			},
		},
		"root's shell": {
			yaml:  "  ada: {}\n  root:\n    shell: /bin/sh\n",
			cue:   "\tusers: {ada: {}, root: shell: \"/bin/sh\"}\n",
			found: []drift.Finding{{Kind: drift.User, Name: "root", Path: "/etc/passwd", Change: plan.Modified}},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(strings.Replace(adoptedPasswd, "/root:/bin/bash", "/root:/bin/sh", 1), adoptedGroup)
			},
		},
		"a user of a package in a group": {
			yaml:  "  ada: {}\n  root:\n    groups: [adm]\n  www:\n    system: true\n    home: /srv\n    shell: /bin/false\n    groups: [adm]\n",
			cue:   "\tusers: {ada: {}, root: groups: adm: {}, www: {system: true, home: \"/srv\", shell: \"/bin/false\", groups: adm: {}}}\n",
			found: []drift.Finding{{Kind: drift.Group, Name: "adm", Path: "/etc/group", Change: plan.Modified}},
			change: func(m *adopt.Machine) {
				passwd := strings.Replace(adoptedPasswd, "::/:", "::/srv:", 1)
				m.Was, m.Is = adopt.ParseAccounts(passwd, adoptedGroup), adopt.ParseAccounts(passwd, strings.Replace(adoptedGroup, "adm:x:4:ada", "adm:x:4:ada,root,www", 1))
			},
		},
		"a group with somebody in it": {
			yaml:  "  ada: {groups: [team]}\ngroups:\n  team:\n    gid: 2000\n",
			cue:   "\tusers: ada: {groups: team: {}}\n\tgroups: team: gid: 2000\n",
			found: []drift.Finding{{Kind: drift.Group, Name: "team", Path: "/etc/group", Change: plan.Added}},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(adoptedPasswd, adoptedGroup+"team:x:2000:ada\n")
			},
		},
		"a user of a service": {
			yaml: "  ada: {}\n  app:\n    system: true\n    uid: 990\n    home: /srv/app\n",
			cue:  "\tusers: {ada: {}, app: {system: true, uid: 990, home: \"/srv/app\"}}\n",
			found: []drift.Finding{
				{Kind: drift.User, Name: "app", Path: "/etc/passwd", Change: plan.Added},
				{Kind: drift.Group, Name: "app", Path: "/etc/group", Change: plan.Added},
			},
			change: func(m *adopt.Machine) {
				m.Is = adopt.ParseAccounts(adoptedPasswd+"app:x:990:990::/srv/app:/usr/sbin/nologin\n", adoptedGroup+"app:x:990:\n")
			},
		},
		"a kernel variable": {
			yaml:  "  ada: {}\nsysctl:\n  kernel.printk: \"4 4 1 7\"\n",
			cue:   "\tusers: ada: {}\n\tsysctl: \"kernel.printk\": \"4 4 1 7\"\n",
			found: []drift.Finding{{Kind: drift.Variable, Name: "kernel.printk", Change: plan.Modified}}, change: func(m *adopt.Machine) { m.Variables["kernel.printk"] = "4 4 1 7" },
		},
		"a parameter": {
			yaml:  "  ada: {}\nkernel:\n  parameters: [debug]\n",
			cue:   "\tusers: ada: {}\n\tkernel: parameters: debug: {}\n",
			found: []drift.Finding{{Kind: drift.Parameter, Name: "debug", Change: plan.Added}}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []struct{ file, text, want string }{
				{"stet.yaml", fmt.Sprintf(plainYAML, "  ada: {}\n"), fmt.Sprintf(plainYAML, c.yaml)},
				{"machines.cue", fmt.Sprintf(plainCUE, "\tusers: ada: {}\n"), fmt.Sprintf(plainCUE, c.cue)},
			} {
				adopted, now, left := adopting(t, map[string]string{in.file: in.text}, c.there, c.change, c.found...)
				want := map[string]string{in.file: in.want}
				for name, text := range c.more {
					want[name] = text
				}
				if diff := cmp.Diff(want, now); diff != "" || len(adopted) != len(c.found) || len(left) != 0 {
					t.Errorf("%s: %d adopted, left %v\n%s", in.file, len(adopted), left, now[in.file])
				}
			}
		})
	}
}

// below is a state that has what is listed.
func below(all ...plan.Drifted) func(string, int) ([]plan.Drifted, error) {
	return func(string, int) ([]plan.Drifted, error) { return all, nil }
}
