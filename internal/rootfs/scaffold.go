package rootfs

import (
	"errors"

	"stet/internal/residue"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/tree"
)

// policyFile tells invoke-rc.d that nothing may be started (Debian Policy
// 9.3.3.1). It is in the root only while the scripts run.
const policyFile = "/usr/sbin/policy-rc.d"

const policyText = "#!/bin/sh\nexit 101\n"

// daemonStarter would start daemons without asking; a stub lies over it.
const daemonStarter = "/usr/sbin/start-stop-daemon"

const daemonStub = "#!/bin/sh\necho 'nothing is started while a machine is built' >&2\nexit 0\n"

// hostsFile has the sandbox's name, so that scripts that ask for it have the same answer
// whether or not libnss-myhostname is configured before them. It is in the root only while
// the scripts run: a machine has its own.
const hostsFile = "/etc/hosts"

const hostsText = "127.0.0.1 " + sandbox.Hostname + "\n"

func isScaffold(name string) bool { return name == policyFile || name == hostsFile }

// addScaffold puts the scaffold into the merged tree, and what stands in for
// secrets and databases: no image has them, so that empty files save their
// making.
func addScaffold(s *store.Store, b *tree.Builder, packages []*Package, mtime tree.Time) error {
	table, _, err := residue.Builtin()
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, p := range packages {
		names[p.Name] = true
	}
	for _, rule := range table.Rules {
		for _, name := range rule.StandIn {
			if _, there := b.Get(name); names[rule.Package] && !there {
				b.MakeParents(name, mtime)
				b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o600, Mtime: mtime})
			}
		}
	}
	return errors.Join(
		putFile(s, b, policyFile, []byte(policyText), 0o755, mtime),
		putFile(s, b, hostsFile, []byte(hostsText), 0o644, mtime))
}

// withStubs adds the mounts that stand over programs of the root.
func withStubs(root sandbox.Root, before *tree.Tree) sandbox.Root {
	if _, ok := before.Lookup(daemonStarter); !ok {
		return root
	}
	return append(root, sandbox.Mount{Target: daemonStarter, Text: &sandbox.Text{Content: daemonStub, Mode: 0o755}})
}
