package example

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// goldenFile is beside an example's lock.
const goldenFile = "golden.json"

// Golden is what an example builds to, in every year and on every machine. It
// has no digest of the system: that covers the initrd, and so every release
// of Go. What the packages alone configure to is in the lock, as its result.
type Golden struct {
	Trees map[string]string `json:"trees"`
}

// Build is a part of what `stet build --json` prints.
type Build struct {
	Golden
	Machine string            `json:"machine"`
	Digest  string            `json:"digest"`
	Images  map[string]string `json:"images"` // name to path
	Kernel  string            `json:"kernel"` // path
	Initrd  string            `json:"initrd"` // path
	Reused  bool              `json:"reused"`
}

// ReadGolden reads the committed digests of an example.
func ReadGolden(name string) (*Golden, error) {
	dir, err := Dir(name)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, goldenFile))
	if err != nil {
		return nil, fmt.Errorf("read goldens: %w: make relock writes them", err)
	}
	golden := new(Golden)
	if err := json.Unmarshal(text, golden); err != nil {
		return nil, fmt.Errorf("read goldens of %s: %w", name, err)
	}
	return golden, nil
}

// Built runs `stet build` in dir. The environment is added to this process's.
func Built(ctx context.Context, stet, dir string, environment ...string) (*Build, error) {
	text, err := output(ctx, environment, stet, "-C", dir, "--json", "build")
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", dir, err)
	}
	built := new(Build)
	if err := json.Unmarshal(text, built); err != nil {
		return nil, fmt.Errorf("read the report of the build of %s: %w", dir, err)
	}
	return built, nil
}

// Relock moves the lock of an example to what the mirrors have now and writes
// the goldens of what that builds to.
func Relock(ctx context.Context, stet, name string) error {
	dir, err := Dir(name)
	if err != nil {
		return err
	}
	if err := run(ctx, stet, "-C", dir, "--json", "update"); err != nil {
		return fmt.Errorf("lock %s: %w", name, err)
	}
	return Renew(ctx, stet, name)
}

// Renew builds an example and writes the goldens of its lock.
func Renew(ctx context.Context, stet, name string) error {
	dir, err := Dir(name)
	if err != nil {
		return err
	}
	built, err := Built(ctx, stet, dir)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(built.Golden, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, goldenFile), append(text, '\n'), 0o644)
}
