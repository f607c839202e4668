package state

import (
	"fmt"

	"stet/internal/plainjson"
)

// BootFile is where stet-init leaves the record of a boot.
const BootFile = "/run/stet/boot.json"

// SystemFile has the digest of the running system and a newline, for scripts.
const SystemFile = "/run/stet/system"

// A Boot says what runs on this machine since it started, and how it came up. A switch
// that is under way has it in its own record, by encoding/json.
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
func (b Boot) Bytes() []byte {
	members := []plainjson.Member{
		{Name: "format", Value: bootFormat},
		{Name: "machine", Value: b.Machine},
		{Name: "system", Value: b.System},
		{Name: "generation", Value: b.Generation},
		{Name: "store", Value: b.Store},
		{Name: "images", Value: b.Images},
		{Name: "upper", Value: b.Upper},
		{Name: "initrd_usec", Value: b.InitrdUsec},
	}
	if len(b.Problems) > 0 {
		members = append(members, plainjson.Member{Name: "problems", Value: b.Problems})
	}
	return plainjson.Write(members)
}

// ParseBoot reads a record.
func ParseBoot(text []byte) (Boot, error) {
	b, err := readBoot(text)
	if err != nil {
		return Boot{}, fmt.Errorf("read %s: %w", BootFile, err)
	}
	if b.Format != bootFormat {
		return Boot{}, fmt.Errorf("%s has format %d; this Stet knows %d", BootFile, b.Format, bootFormat)
	}
	return b, nil
}

func readBoot(text []byte) (b Boot, err error) {
	object, err := plainjson.Read(text)
	if err != nil {
		return b, err
	}
	if b.Images, err = object.StringMap("images"); err != nil {
		return b, err
	}
	for name, to := range map[string]*string{"machine": &b.Machine, "system": &b.System, "store": &b.Store} {
		if *to, err = object.String(name); err != nil {
			return b, err
		}
	}
	for name, to := range map[string]*int{"format": &b.Format, "generation": &b.Generation, "upper": &b.Upper} {
		number, err := object.Int(name)
		if err != nil {
			return b, err
		}
		*to = int(number)
	}
	if b.InitrdUsec, err = object.Int("initrd_usec"); err != nil {
		return b, err
	}
	b.Problems, err = object.Strings("problems")
	return b, err
}
