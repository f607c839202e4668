package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// What buildah is told: how its base is made, and how the server.
var (
	//go:embed buildah/base
	baseFile string
	//go:embed buildah/Containerfile
	containerFile string
)

// containers is what buildah has: its images, and where it finds the packages.
type containers struct {
	dir     string
	archive *archive
}

// buildah builds an image of the server's packages over a base that is there, as one
// of a hub would be: the essential packages and apt, out of the same archive.
func (b *bench) buildah(ctx context.Context, l *lab, a *archive) (peer, error) {
	c := containers{dir: filepath.Join(b.dir, l.machine+".buildah"), archive: a}
	if err := installed("buildah"); err != nil {
		return peer{}, err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return peer{}, err
	}
	say("make the base of buildah's image")
	least := archive{dir: a.dir, names: []string{"apt"}}
	base := filepath.Join(c.dir, "base")
	if _, err := least.mmdebstrap(ctx, base); err != nil {
		return peer{}, err
	}
	if _, err := c.build(ctx, "base", baseFile, base); err != nil {
		return peer{}, err
	}
	return peer{name: "buildah", how: "buildah, over a base that is there", build: func(ctx context.Context, run int) (spent, error) {
		image := fmt.Sprint("server-", run)
		unix.Sync()
		took, err := c.build(ctx, image, containerFile, c.dir+"/empty",
			"--volume="+a.dir+":/archive:ro", "--build-arg=packages="+strings.Join(a.names, " "))
		if err != nil {
			return spent{}, err
		}
		status, err := c.status(ctx, image)
		if err != nil {
			return spent{}, err
		}
		return took, sameSet(l, image, status)
	}}, nil
}

// build makes an image of a Containerfile. Its programs run in a chroot, without a
// network: that is the quickest for buildah, and asks nothing more of this machine.
func (c containers) build(ctx context.Context, image, text, directory string, more ...string) (spent, error) {
	name := filepath.Join(c.dir, image+".Containerfile")
	err := errors.Join(os.MkdirAll(directory, 0o755), os.WriteFile(name, []byte(text), 0o644))
	if err != nil {
		return spent{}, err
	}
	args := append(c.storage(), "build", "--isolation=chroot", "--quiet", "--file="+name, "--tag=localhost/"+image)
	took, _, err := measure(unshared(ctx, "buildah", append(append(args, more...), directory)...))
	return took, err
}

// status is dpkg's database of an image.
func (c containers) status(ctx context.Context, image string) (string, error) {
	const show = `container=$(buildah "$@" from localhost/$0) && cat "$(buildah "$@" mount "$container")/var/lib/dpkg/status"`
	_, status, err := measure(unshared(ctx, "sh", append([]string{"-c", show, image}, c.storage()...)...))
	return status, err
}

// storage has all that buildah keeps below one directory.
func (c containers) storage() []string {
	return []string{"--root=" + filepath.Join(c.dir, "storage"), "--runroot=" + filepath.Join(c.dir, "run"), "--storage-driver=overlay"}
}
