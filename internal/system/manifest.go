package system

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"stet/internal/verity"
)

// ManifestFormat is the version of the manifest that this Stet writes and
// reads; docs/formats/manifest.md describes it.
const ManifestFormat = 1

// Manifest names everything a system is. Its canonical text's SHA-256 is the
// digest of the system.
type Manifest struct {
	Format        int                      `json:"format"`
	Machine       string                   `json:"machine"`
	Trees         map[string]string        `json:"trees"`  // name to the SHA-256 of the tree's text
	Images        map[string]verity.Digest `json:"images"` // name to the image's fs-verity digest
	Kernel        verity.Digest            `json:"kernel"` // an object
	KernelVersion string                   `json:"kernel_version"`
	Initrd        verity.Digest            `json:"initrd"` // an object
	CommandLine   string                   `json:"command_line"`
}

// Text is the canonical JSON: keys as here, maps sorted, one line.
func (m *Manifest) Text() ([]byte, error) {
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return append(text, '\n'), nil
}

// Digest is the identity of the system.
func (m *Manifest) Digest() (string, error) {
	text, err := m.Text()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// ParseManifest reads a manifest and refuses formats it does not know.
func ParseManifest(text []byte) (*Manifest, error) {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if version.Format != ManifestFormat {
		return nil, fmt.Errorf("read manifest: format %d; this Stet reads %d: use the Stet that built the system, or build it again", version.Format, ManifestFormat)
	}
	m := &Manifest{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	return m, nil
}
