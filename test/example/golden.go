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

// ReadGolden reads the committed digests of an example of one machine.
func ReadGolden(name string) (*Golden, error) {
	golden := new(Golden)
	return golden, readGolden(name, golden)
}

// ReadGoldens reads those of an example of several machines, by machine.
func ReadGoldens(name string) (map[string]Golden, error) {
	goldens := map[string]Golden{}
	return goldens, readGolden(name, &goldens)
}

func readGolden(name string, golden any) error {
	dir, err := Dir(name)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, goldenFile))
	if err != nil {
		return fmt.Errorf("read goldens: %w: make relock writes them", err)
	}
	if err := json.Unmarshal(text, golden); err != nil {
		return fmt.Errorf("read goldens of %s: %w", name, err)
	}
	return nil
}

// Machines lists the machines of the repository dir.
func Machines(ctx context.Context, stet, dir string) ([]string, error) {
	text, err := output(ctx, nil, stet, "-C", dir, "--json", "check")
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", dir, err)
	}
	var report struct{ Machines []struct{ Name string } }
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("read the report of the check of %s: %w", dir, err)
	}
	names := make([]string, len(report.Machines))
	for i, m := range report.Machines {
		names[i] = m.Name
	}
	return names, nil
}

// Built runs `stet build` in dir, which has one machine. The environment is
// added to this process's.
func Built(ctx context.Context, stet, dir string, environment ...string) (*Build, error) {
	return build(ctx, environment, stet, dir)
}

// BuiltMachine runs `stet build` for one machine of several.
func BuiltMachine(ctx context.Context, stet, dir, machine string) (*Build, error) {
	return build(ctx, nil, stet, dir, machine)
}

func build(ctx context.Context, environment []string, stet, dir string, machine ...string) (*Build, error) {
	text, err := output(ctx, environment, stet, append([]string{"-C", dir, "--json", "build"}, machine...)...)
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
	golden, err := goldenOf(ctx, stet, dir)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(golden, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, goldenFile), append(text, '\n'), 0o644)
}

// goldenOf is what the machines of dir build to: a Golden, or by name where there
// are several.
func goldenOf(ctx context.Context, stet, dir string) (any, error) {
	names, err := Machines(ctx, stet, dir)
	if err != nil {
		return nil, err
	}
	goldens := map[string]Golden{}
	for _, name := range names {
		built, err := BuiltMachine(ctx, stet, dir, name)
		if err != nil {
			return nil, err
		}
		goldens[name] = built.Golden
	}
	if len(names) == 1 {
		return goldens[names[0]], nil
	}
	return goldens, nil
}
