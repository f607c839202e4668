package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/debian"
)

const (
	suite       = "trixie"
	machineName = "server190"
)

// archive is a package archive on this disk with exactly the packages of a
// lock, so that apt has nothing to choose and nothing to download.
type archive struct {
	dir   string
	names []string // of all its packages
}

// providerControl stands for Stet's own initrd, as the synthetic package of
// the lock does: a kernel finds what it depends on, and no initramfs is made.
const providerControl = `Package: stet-initrd
Version: 1
Architecture: all
Maintainer: Stet
Provides: linux-initramfs-tool
Description: stands in for the tools that would make an initramfs
`

// archive makes the archive of a lock's packages. A lock that has
// initramfs-tools itself gets no stand-in.
func (b *bench) archive(name string, l *lab) (*archive, error) {
	a := &archive{dir: filepath.Join(b.dir, name)}
	pool := filepath.Join(a.dir, "pool")
	indices := filepath.Join(a.dir, "dists", suite, "main", "binary-amd64")
	for _, dir := range []string{pool, indices} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	initramfs := false
	var index strings.Builder
	for _, p := range l.lock.Select(l.lock.Machines[l.machine].Packages) {
		if p.Synthetic {
			continue
		}
		initramfs = initramfs || p.Name == "initramfs-tools"
		deb := filepath.Join(pool, p.SHA256+".deb")
		if err := os.Link(filepath.Join(l.store, debs, p.SHA256+".deb"), deb); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		if err := a.add(&index, deb); err != nil {
			return nil, err
		}
	}
	if !initramfs {
		deb, err := b.provider(pool)
		if err != nil {
			return nil, err
		}
		if err := a.add(&index, deb); err != nil {
			return nil, err
		}
	}
	slices.Sort(a.names)
	if err := os.WriteFile(filepath.Join(indices, "Packages"), []byte(index.String()), 0o644); err != nil {
		return nil, err
	}
	release := fmt.Sprintf("Suite: %s\nCodename: %s\nArchitectures: amd64\nComponents: main\nSHA256:\n %x %d main/binary-amd64/Packages\n",
		suite, suite, sha256.Sum256([]byte(index.String())), index.Len())
	return a, os.WriteFile(filepath.Join(a.dir, "dists", suite, "Release"), []byte(release), 0o644)
}

// add appends the stanza of a .deb to an index.
func (a *archive) add(index *strings.Builder, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	hash := sha256.New()
	size, err := io.Copy(hash, file)
	if err != nil {
		return err
	}
	deb, err := debian.OpenDeb(file, size)
	if err != nil {
		return err
	}
	control, err := deb.Control()
	if err != nil {
		return err
	}
	text := strings.TrimRight(string(control.Files["control"]), "\n")
	stanza, err := debian.ParseStanza([]byte(text))
	if err != nil {
		return err
	}
	p, err := debian.ParsePackage(stanza)
	if err != nil {
		return err
	}
	a.names = append(a.names, p.Name)
	fmt.Fprintf(index, "%s\nFilename: pool/%s\nSize: %d\nSHA256: %x\n\n", text, filepath.Base(name), size, hash.Sum(nil))
	return nil
}

// provider builds the stand-in's .deb.
func (b *bench) provider(pool string) (string, error) {
	source := filepath.Join(b.dir, "provider")
	if err := os.MkdirAll(filepath.Join(source, "DEBIAN"), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(source, "DEBIAN", "control"), []byte(providerControl), 0o644); err != nil {
		return "", err
	}
	deb := filepath.Join(pool, "stet-initrd.deb")
	_, _, err := measure(exec.Command("dpkg-deb", "--root-owner-group", "-Zxz", "--build", source, deb))
	return deb, err
}
