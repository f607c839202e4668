package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// mkosiFraction is the promised part of mkosi's time for an image from nothing.
const mkosiFraction = 1.0 / 6

// mkosiTools is the machine that mkosi runs on, made before anything is timed.
const mkosiTools = `name: mkosi-tools
debian: {suite: trixie, components: [main], architecture: amd64}
base: minimal
packages: [mkosi, ca-certificates]
`

// mkosiBoots is what mkosi's image has beside the server's packages: its boot
// loader comes from the image, Stet's from the lock's tools.
const mkosiBoots = "packages: [systemd-boot, "

// mkosiConfiguration describes the server's disk to mkosi: its default
// partitions (an ESP and a root of ext4), a boot loader, the kernel, and an
// initrd that is there already. Making its own would take mkosi longer, and
// other packages.
const mkosiConfiguration = `[Distribution]
Distribution=debian
Release=trixie
LocalMirror=%s
RepositoryKeyCheck=no

[Output]
Format=disk
ImageId=server

[Content]
Packages=%s
Bootable=yes
Bootloader=systemd-boot
UnifiedKernelImages=no
Initrds=/bench/initrd
WithRecommends=no

[Build]
BuildSources=
`

// mkosi makes a bootable disk of the server from packages alone, with Stet and
// with mkosi, in turns.
func (b *bench) mkosi(ctx context.Context) ([]result, error) {
	ours, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	theirs, err := b.locked(ctx, "server190-mkosi", strings.Replace(configuration, "packages: [", mkosiBoots, 1))
	if err != nil {
		return nil, err
	}
	packages, err := b.archive("mkosi.archive", theirs)
	if err != nil {
		return nil, err
	}
	root, err := b.rootOf(ctx, "mkosi-tools", mkosiTools)
	if err != nil {
		return nil, err
	}
	system, err := b.built(ctx, ours)
	if err != nil {
		return nil, err
	}
	mirror, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := http.Server{Handler: http.FileServer(http.Dir(packages.dir))}
	go server.Serve(mirror)
	defer server.Close()
	text := fmt.Sprintf(mkosiConfiguration, "http://"+mirror.Addr().String(), strings.Join(packages.names, ","))

	var stet, mkosi []float64
	for i := range b.runs {
		say("disk from nothing, run %d of %d: stet", i+1, b.runs)
		store := filepath.Join(b.dir, fmt.Sprint("disk.built-", i))
		if err := emptyStore(store, ours.store); err != nil {
			return nil, err
		}
		image := filepath.Join(b.dir, fmt.Sprintf("disk-%d.raw", i))
		took, _, err := b.runStet(ctx, ours.repository, store, "image", "--format", "raw", "-o", image)
		if err != nil {
			return nil, err
		}
		stet = append(stet, took.Wall)

		say("disk from nothing, run %d of %d: mkosi", i+1, b.runs)
		work := filepath.Join(b.dir, fmt.Sprint("mkosi-", i))
		for _, dir := range []string{"out", "work", "cache"} {
			if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
				return nil, err
			}
		}
		if err := os.Link(system.Initrd, filepath.Join(work, "initrd")); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(work, "mkosi.conf"), []byte(text), 0o644); err != nil {
			return nil, err
		}
		unix.Sync()
		if took, _, err = measure(inRoot(ctx, root, work, "mkosi", "--force", "--output-directory=/bench/out", "--workspace-directory=/bench/work", "--package-cache-dir=/bench/cache", "build")); err != nil {
			return nil, err
		}
		mkosi = append(mkosi, took.Wall)
		if _, err := only(work, "out/server*.raw"); err != nil {
			return nil, err
		}
	}
	a := measured("disk of server190 from packages: stet image, store empty", "s", stet, 0)
	m := measured("disk of server190 from packages: mkosi", "s", mkosi, 0)
	return []result{a, m, ratio("disk from packages: stet / mkosi", a, m, mkosiFraction)}, nil
}
