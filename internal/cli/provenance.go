package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/lock"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/verity"
)

// provenance stands beside a system, outside its digest: where it came from.
type provenance struct {
	Format int    `json:"format"`
	System string `json:"system"`
	source.Commit
	Lock      string        `json:"lock"`            // SHA-256 of stet.lock
	Stet      string        `json:"stet"`            // version of the Stet that built it
	Bundle    verity.Digest `json:"bundle,omitzero"` // object: the repository's history
	SourceMap verity.Digest `json:"source_map"`      // object: option to file:line:column
}

// recordProvenance notes where a system came from, under the machine's name,
// which also keeps the system from being collected.
func (a *app) recordProvenance(ctx context.Context, s *store.Store, c *config.Configuration, machine string, built *build.System) error {
	commit, err := source.Describe(ctx, c.Dir)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, lock.FileName))
	if err != nil {
		return fmt.Errorf("read lock: %w", err)
	}
	sum := sha256.Sum256(text)
	p := provenance{Format: 1, System: built.Digest, Commit: commit, Lock: hex.EncodeToString(sum[:]), Stet: Version}
	if p.Bundle, err = bundle(ctx, s, c.Dir, commit); err != nil {
		return err
	}
	places, err := json.Marshal(c.Places(machine))
	if err != nil {
		return err
	}
	if p.SourceMap, err = s.PutBytes(places); err != nil {
		return err
	}
	record, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return s.SetRoot(rootName(c.Dir, machine), append(record, '\n'))
}

// bundle stores the repository's history, once for each commit.
func bundle(ctx context.Context, s *store.Store, dir string, commit source.Commit) (verity.Digest, error) {
	if commit.ID == "" {
		return verity.Digest{}, nil
	}
	if memo, ok := s.Memo("bundle", commit.ID); ok {
		if d, err := verity.ParseDigest(string(memo)); err == nil && s.Has(d) {
			return d, nil
		}
	}
	var text bytes.Buffer
	if err := source.Bundle(ctx, dir, &text); err != nil {
		return verity.Digest{}, err
	}
	d, err := s.PutBytes(text.Bytes())
	if err != nil {
		return d, err
	}
	s.Memoise("bundle", commit.ID, []byte(d.String()))
	return d, s.Publish()
}

// rootName names the root of a machine of one repository.
func rootName(dir, machine string) string {
	sum := sha256.Sum256([]byte(dir))
	return machine + "-" + hex.EncodeToString(sum[:6])
}
