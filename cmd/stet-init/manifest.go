package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"stet/internal/plainjson"
)

// manifestFormat is the format of a manifest that this program boots.
const manifestFormat = 1

// A manifest is what a boot needs of a system's manifest; internal/system
// writes it.
type manifest struct {
	Machine string
	Images  map[string]string // tree name → fs-verity digest
}

// parseManifest checks text against its name, the SHA-256 digest of its bytes,
// before reading any of it.
func parseManifest(text []byte, digest string) (manifest, error) {
	const other = "Choose another entry in the boot menu; the system of this one can be built again."
	sum := sha256.Sum256(text)
	if hex.EncodeToString(sum[:]) != digest {
		return manifest{}, remedy{fmt.Errorf("the manifest of system %s is damaged: its digest is %x", short(digest), sum), other}
	}
	unreadable := func(err error) (manifest, error) {
		return manifest{}, remedy{fmt.Errorf("the manifest of system %s cannot be read: %w", short(digest), err), other}
	}
	object, err := plainjson.Read(text)
	if err != nil {
		return unreadable(err)
	}
	version, err := object.Int("format")
	if err != nil {
		return unreadable(err)
	}
	if version != manifestFormat {
		return manifest{}, remedy{fmt.Errorf("the manifest of system %s has format %d; this initrd knows %d", short(digest), version, manifestFormat), other}
	}
	var m manifest
	if m.Machine, err = object.String("machine"); err != nil {
		return unreadable(err)
	}
	if m.Images, err = object.StringMap("images"); err != nil {
		return unreadable(err)
	}
	for _, tree := range []string{"usr", "etc"} {
		if m.Images[tree] == "" {
			return m, remedy{fmt.Errorf("the manifest of system %s names no %s image", short(digest), tree), other}
		}
	}
	for tree, image := range m.Images {
		if !isDigest(image) {
			return m, remedy{fmt.Errorf("the manifest of system %s: %q is no digest of the %s image", short(digest), image, tree), other}
		}
	}
	return m, nil
}

// missingManifest explains why a manifest could not be read from the store.
func missingManifest(digest string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return remedy{fmt.Errorf("the store has no system %s", short(digest)),
			"Choose another entry in the boot menu: this one is older or newer than the disk."}
	}
	return remedy{fmt.Errorf("read the manifest of system %s: %w", short(digest), err),
		"The disk may be failing. Choose another entry in the boot menu, or look at the disk from another system."}
}

func short(digest string) string { return digest[:min(12, len(digest))] }
