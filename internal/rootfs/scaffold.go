package rootfs

import (
	"fmt"
	"os"
	"path/filepath"

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

// secrets are what a package's scripts would make of randomness, if it were
// not there. No image has it (the residue table calls it identity), so that
// an empty file saves the search for primes.
var secrets = map[string][]string{
	"openssh-server": {"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key"},
}

func isScaffold(name string) bool { return name == policyFile }

// addScaffold puts the policy file, and what stands for secrets, into the
// merged tree.
func addScaffold(s *store.Store, b *tree.Builder, packages []*Package, mtime tree.Time) error {
	digest, err := s.PutBytes([]byte(policyText))
	if err != nil {
		return err
	}
	for _, p := range packages {
		for _, name := range secrets[p.Name] {
			if _, there := b.Get(name); !there {
				b.MakeParents(name, mtime)
				b.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: 0o600, Mtime: mtime})
			}
		}
	}
	b.MakeParents(policyFile, mtime)
	b.Put(tree.Entry{Path: policyFile, Type: tree.Regular, Mode: 0o755, Size: int64(len(policyText)), Digest: digest, Mtime: mtime})
	return nil
}

// withStubs adds the mounts that stand over programs of the root.
func withStubs(root sandbox.Root, before *tree.Tree, dir string) (sandbox.Root, error) {
	if _, ok := before.Lookup(daemonStarter); !ok {
		return root, nil
	}
	stub := filepath.Join(dir, "start-stop-daemon")
	if err := os.WriteFile(stub, []byte(daemonStub), 0o755); err != nil {
		return nil, fmt.Errorf("write stub: %w", err)
	}
	return append(root, sandbox.Mount{Target: daemonStarter, Bind: &sandbox.Bind{Source: stub, ReadOnly: true}}), nil
}
