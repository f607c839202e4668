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

	"golang.org/x/sync/errgroup"

	"stet/internal/config"
	"stet/internal/generation"
	"stet/internal/lock"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/verity"
)

// buildRecord is what is noted of the last build of a machine.
type buildRecord struct {
	Format int    `json:"format"`
	System string `json:"system"`
	generation.Provenance
}

// recordProvenance notes where a system came from, under the name of a root, which
// also keeps the system from being collected.
func recordProvenance(s *store.Store, root, system string, p generation.Provenance) error {
	record, err := json.Marshal(buildRecord{Format: 1, System: system, Provenance: p})
	if err != nil {
		return err
	}
	return s.SetRoot(root, append(record, '\n'))
}

// askedProvenance is what is asked while a machine is built: packing the repository's
// history can take longer than to build what changed.
type askedProvenance struct {
	forget context.CancelFunc // if nobody wants to know any more
	get    func() (generation.Provenance, error)
}

func askProvenance(ctx context.Context, s *store.Store, c *config.Configuration, machine string) *askedProvenance {
	asking, enough := context.WithCancel(ctx)
	var asked errgroup.Group
	var from generation.Provenance
	asked.Go(func() (err error) {
		from, err = provenanceOf(asking, s, c, machine)
		return err
	})
	return &askedProvenance{
		forget: func() { enough(); _ = asked.Wait() },
		get:    func() (generation.Provenance, error) { err := asked.Wait(); return from, err },
	}
}

// provenanceOf says where a machine comes from that is built of a configuration now.
func provenanceOf(ctx context.Context, s *store.Store, c *config.Configuration, machine string) (generation.Provenance, error) {
	var p generation.Provenance
	commit, err := source.Describe(ctx, c.Dir)
	if err != nil {
		return p, err
	}
	text, err := os.ReadFile(filepath.Join(c.Dir, lock.FileName))
	if err != nil {
		return p, fmt.Errorf("read lock: %w", err)
	}
	sum := sha256.Sum256(text)
	p = generation.Provenance{Commit: commit, Lock: hex.EncodeToString(sum[:]), Stet: Version}
	if p.Bundle, err = bundle(ctx, s, c.Dir, commit); err != nil {
		return p, err
	}
	places, err := json.Marshal(c.Places(machine))
	if err != nil {
		return p, err
	}
	p.SourceMap, err = s.PutBytes(places)
	return p, err
}

// bundle stores the repository's history, once for each commit.
func bundle(ctx context.Context, s *store.Store, dir string, commit source.Commit) (verity.Digest, error) {
	if commit.ID == "" {
		return verity.Digest{}, nil
	}
	if memo, ok := s.Memo("history", commit.ID); ok {
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
	s.Memoise("history", commit.ID, []byte(d.String()))
	return d, s.Publish()
}

// rootName names the root of a machine of one repository.
func rootName(dir, machine string) string {
	sum := sha256.Sum256([]byte(dir))
	return machine + "-" + hex.EncodeToString(sum[:6])
}
