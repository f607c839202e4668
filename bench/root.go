package main

import (
	"context"
	"os/exec"
	"path/filepath"
)

// enter makes a directory the root file system of a mount namespace, and runs a
// program there: a plain chroot(2) forbids to move mounts. $1 is the root; $2 a
// directory that is /bench there; the rest is the program.
const enter = `set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mkdir -p "$1/bench" "$1/old"
mount --bind "$2" "$1/bench"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
mount -t proc proc "$1/proc"
cd "$1"
shift 2
pivot_root . old
umount -l /old
cd /bench
exec "$@"
`

// inRoot runs a program in a root file system, with a directory that it sees as
// /bench. It has the network of the host.
func inRoot(ctx context.Context, root, dir string, program ...string) *exec.Cmd {
	args := append([]string{"--mount", "--pid", "--fork", "--kill-child", "sh", "-c", enter, "sh", root, dir}, program...)
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root"}
	return cmd
}

// rootOf makes the root file system of a machine, by mmdebstrap, for a peer to run
// in: trixie's own, with the versions of all that it calls.
func (b *bench) rootOf(ctx context.Context, name, configuration string) (string, error) {
	if root, made := b.roots[name]; made {
		return root, nil
	}
	tools, err := b.locked(ctx, name, configuration)
	if err != nil {
		return "", err
	}
	packages, err := b.archive(name+".archive", tools)
	if err != nil {
		return "", err
	}
	say("make a system that has %s", name)
	root := filepath.Join(b.dir, name+"-root")
	if err := removeAll(root); err != nil {
		return "", err
	}
	if _, err := packages.mmdebstrap(ctx, root); err != nil {
		return "", err
	}
	b.roots[name] = root
	return root, nil
}
