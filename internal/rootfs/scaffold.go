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

// stubs lie over programs of the root while scripts run: one would start
// daemons without asking, the other indexes every manual page into files that
// no image has.
var stubs = map[string]string{
	"/usr/sbin/start-stop-daemon": "#!/bin/sh\necho 'nothing is started while a machine is built' >&2\nexit 0\n",
	"/usr/bin/mandb":              "#!/bin/sh\nexit 0\n",
}

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
	for _, name := range sortedKeys(stubs) {
		if _, ok := before.Lookup(name); !ok {
			continue
		}
		stub := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(stub, []byte(stubs[name]), 0o755); err != nil {
			return nil, fmt.Errorf("write stub: %w", err)
		}
		if err := os.Chmod(stub, 0o755); err != nil { // whatever the umask
			return nil, fmt.Errorf("write stub: %w", err)
		}
		root = append(root, sandbox.Mount{Target: name, Bind: &sandbox.Bind{Source: stub, ReadOnly: true}})
	}
	return root, nil
}
