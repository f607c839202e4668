package generation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"stet/internal/source"
	"stet/internal/verity"
)

// recordFormat is the version of a record that this Stet writes and reads.
const recordFormat = 1

// Origin says what made a generation.
type Origin string

// The origins.
const (
	Image    Origin = "image"
	Install  Origin = "install"
	Boot     Origin = "boot"
	Switch   Origin = "switch"
	Rollback Origin = "rollback"
)

// Provenance is where a system came from. It stands beside the system, outside
// its digest.
type Provenance struct {
	source.Commit
	Lock      string        `json:"lock"` // SHA-256 of stet.lock
	Stet      string        `json:"stet"` // version of the Stet that built it
	Bundle    verity.Digest `json:"bundle,omitzero"`
	SourceMap verity.Digest `json:"source_map"`
}

// Record is what one generation is.
type Record struct {
	Format     int       `json:"format"`
	Number     int       `json:"number"`
	System     string    `json:"system"` // digest of the manifest
	Date       time.Time `json:"date"`
	Origin     Origin    `json:"origin"`
	RollbackOf int       `json:"rollback_of,omitempty"`
	Provenance
}

// Text is the record's file: indented JSON.
func (r Record) Text() ([]byte, error) {
	r.Format = recordFormat
	r.Date = r.Date.UTC().Truncate(time.Second)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write record of generation %d: %w", r.Number, err)
	}
	return append(text, '\n'), nil
}

// ParseRecord reads a record and refuses formats it does not know.
func ParseRecord(text []byte) (Record, error) {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	if version.Format != recordFormat {
		return Record{}, fmt.Errorf("read record: format %d; this Stet reads %d: use the Stet that made the generation", version.Format, recordFormat)
	}
	var r Record
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("read record: %w", err)
	}
	if _, err := verity.ParseDigest(r.System); err != nil || r.Number < 1 {
		return Record{}, fmt.Errorf("read record: number %d of system %q is none", r.Number, r.System)
	}
	return r, nil
}
