package state

import (
	"encoding/json"
	"fmt"
)

// BootFile is where stet-init leaves the record of a boot.
const BootFile = "/run/stet/boot.json"

// SystemFile has the digest of the running system and a newline, for scripts.
const SystemFile = "/run/stet/system"

// A Boot says what runs on this machine since it started, and how it came up.
type Boot struct {
	Format     int               `json:"format"`
	Machine    string            `json:"machine"`
	System     string            `json:"system"`             // digest of the manifest
	Generation int               `json:"generation"`         // number that systemd began with; 0 when nobody said
	Store      string            `json:"store"`              // path of the device with the store
	Images     map[string]string `json:"images"`             // tree name → fs-verity digest of the mounted image
	Upper      int               `json:"upper"`              // number in state/etc; 0: /etc is in memory
	InitrdUsec int64             `json:"initrd_usec"`        // from the start of stet-init to the start of systemd
	Problems   []string          `json:"problems,omitempty"` // sentences about what was not as it should be
}

// bootFormat is the only format of a boot record there is.
const bootFormat = 1

// Bytes is the text of the record.
func (b Boot) Bytes() ([]byte, error) {
	b.Format = bootFormat
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

// ParseBoot reads a record.
func ParseBoot(text []byte) (Boot, error) {
	var b Boot
	if err := json.Unmarshal(text, &b); err != nil {
		return Boot{}, fmt.Errorf("read %s: %w", BootFile, err)
	}
	if b.Format != bootFormat {
		return Boot{}, fmt.Errorf("%s has format %d; this Stet knows %d", BootFile, b.Format, bootFormat)
	}
	return b, nil
}
