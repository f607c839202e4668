package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/verity"
)

// offerFormat is the version of an offer that this Stet writes and reads.
const offerFormat = 1

// Offer says what is handed over.
type Offer struct {
	Format  int    `json:"format"`
	Machine string `json:"machine"`
	System  string `json:"system"`
	generation.Provenance
	Sizes map[string]int64 `json:"sizes"` // of the files that are in no tree, by digest
	Boot  bool             `json:"boot,omitempty"`
}

// Make offers a system of a store.
func Make(s *store.Store, digest string, p generation.Provenance) (Offer, error) {
	text, err := s.System(digest)
	if err != nil {
		return Offer{}, err
	}
	m, err := system.ParseManifest(text)
	if err != nil {
		return Offer{}, err
	}
	o := Offer{Format: offerFormat, Machine: m.Machine, System: digest, Provenance: p, Sizes: map[string]int64{}}
	for _, d := range []verity.Digest{m.Kernel, m.Initrd, p.Bundle, p.SourceMap} {
		if d.IsZero() {
			continue
		}
		if o.Sizes[d.String()], err = s.Size(store.Objects, d.String()); err != nil {
			return o, err
		}
	}
	for _, d := range m.Images {
		if o.Sizes[d.String()], err = s.Size(store.Images, d.String()); err != nil {
			return o, err
		}
	}
	return o, nil
}

// Text is the offer's JSON.
func (o Offer) Text() ([]byte, error) {
	o.Format = offerFormat
	text, err := json.MarshalIndent(o, "", "  ")
	return append(text, '\n'), err
}

// ParseOffer reads an offer and refuses formats it does not know.
func ParseOffer(text []byte) (Offer, error) {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return Offer{}, fmt.Errorf("read offer: %w", err)
	}
	if version.Format != offerFormat {
		return Offer{}, fmt.Errorf("read offer: format %d; this Stet reads %d: use the same Stet on both ends", version.Format, offerFormat)
	}
	var o Offer
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		return Offer{}, fmt.Errorf("read offer: %w", err)
	}
	if _, err := verity.ParseDigest(o.System); err != nil || o.Machine == "" || strings.ContainsAny(o.Machine, "/\x00") || o.Machine[0] == '.' {
		return Offer{}, fmt.Errorf("read offer: system %q of machine %q is none", o.System, o.Machine)
	}
	return o, nil
}

// offersDir is where a directory has its offers.
const offersDir = "handover"

// ReadOffer gives the offer of a machine in a directory, or the only one.
func ReadOffer(dir, machine string) (Offer, error) {
	if machine == "" {
		entries, err := os.ReadDir(filepath.Join(dir, offersDir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Offer{}, err
		}
		var names []string
		for _, entry := range entries {
			if name, ok := strings.CutSuffix(entry.Name(), ".json"); ok && name[0] != '.' {
				names = append(names, name)
			}
		}
		switch len(names) {
		case 0:
			return Offer{}, fmt.Errorf("%s has no system", dir)
		case 1:
			machine = names[0]
		default:
			return Offer{}, fmt.Errorf("%s has several machines: name one of %s", dir, strings.Join(names, ", "))
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, offersDir, filepath.Base(machine)+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Offer{}, fmt.Errorf("%s has no machine %s", dir, machine)
	}
	if err != nil {
		return Offer{}, err
	}
	return ParseOffer(text)
}

// WriteOffer makes a directory offer a system that it has.
func WriteOffer(dir string, o Offer) error {
	text, err := o.Text()
	if err != nil {
		return err
	}
	name := filepath.Join(dir, offersDir, o.Machine+".json")
	hidden := filepath.Join(dir, offersDir, "."+o.Machine+".json")
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(hidden, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(hidden, name)
}
