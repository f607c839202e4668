package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"stet/internal/build"
	"stet/internal/namespace"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/surroundings"
	"stet/internal/system"
	"stet/internal/unpack"
)

// twice are the flags of `stet build --twice`.
type twice struct {
	on   bool
	seed uint64
	// again is set in the process that is the second build.
	again bool
}

// twiceReport is what `stet build --twice --json` adds.
type twiceReport struct {
	Same        bool               `json:"same"`
	Digest      string             `json:"digest"` // of the second build
	Seed        uint64             `json:"seed"`   // of its order; --seed repeats it
	Conditions  []string           `json:"varied"`
	Kept        []string           `json:"not_varied"`
	Differences []build.Difference `json:"differences"`
	Seconds     float64            `json:"seconds"`
}

// againReport is what the second build tells the first.
type againReport struct {
	buildReport
	Surroundings surroundings.Report `json:"surroundings"`
	Error        string              `json:"error"`
	Remedy       string              `json:"remedy"`
}

// enter is what the second build does first.
func (a *app) enter(t *twice) (surroundings.Report, error) {
	if !t.again {
		if t.seed != 0 && !t.on {
			return surroundings.Report{}, wrongInput(errors.New("--seed is the order of a second build, and there is none"), "add --twice, or leave --seed out")
		}
		return surroundings.Report{}, nil
	}
	if t.seed == 0 {
		return surroundings.Report{}, wrongInput(errors.New("a second build needs --seed"), "`stet build --twice` starts it")
	}
	a.again = t
	r, err := surroundings.Enter()
	if rootfs.HasMemory() && namespace.Initial() {
		r.Varied = append(r.Varied, "file system of what scripts write: that of the store, once in memory")
	} else {
		r.Same = append(r.Same, "file system of what scripts write")
	}
	return r, err
}

// unlike makes a builder that of the second build.
func (t *twice) unlike(b *build.Builder) {
	b.Shuffle = t.seed
	switch b.Provider.(type) {
	case rootfs.Overlay:
		b.Provider = rootfs.Overlay{Shuffle: t.seed, OnDisk: true}
	case rootfs.LaidOut:
		b.Provider = rootfs.LaidOut{Shuffle: t.seed}
	}
}

// buildAgain builds the machine a second time, in another process and as other
// surroundings as this host can have, and compares.
func (a *app) buildAgain(ctx context.Context, s *store.Store, t twice, first *builtMachine, args []string) (*twiceReport, error) {
	begin := a.Now()
	// What the first build made must be there for the other process to read.
	if err := s.Publish(); err != nil {
		return nil, err
	}
	dir, err := s.Scratch(unpack.Stage)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for t.seed == 0 {
		t.seed = rand.Uint64()
	}
	second, conditions, err := a.runAgain(ctx, dir, t, first.configuration.Dir, args)
	if err != nil {
		return nil, err
	}
	report := &twiceReport{
		Digest: second.Digest, Seed: t.seed, Conditions: append(conditions.Varied, "order of configuring, of directories and process numbers"), Kept: conditions.Same,
	}
	report.Differences, err = first.builder.Compare(first.System, second, first.Packages, s.Dir(), dir)
	if err != nil {
		return nil, err
	}
	if len(report.Differences) == 0 {
		report.Differences, err = first.builder.Dated(second.Root, first.Packages, first.lock.Epoch, begin, a.Now())
		if err != nil {
			return nil, err
		}
	}
	report.Same = len(report.Differences) == 0
	if report.Same {
		report.Differences = []build.Difference{}
	}
	report.Seconds = a.Now().Sub(begin).Seconds()
	return report, nil
}

// runAgain starts this program a second time.
func (a *app) runAgain(ctx context.Context, dir string, t twice, repository string, args []string) (*build.System, *surroundings.Report, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, nil, fmt.Errorf("start the second build: %w", err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, executable, append([]string{
		"-C", repository, "--json", "build", "--again", "--seed", strconv.FormatUint(t.seed, 10), "--",
	}, args...)...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "STET_STORE="+dir)
	cmd.Stdout, cmd.Stderr = &out, a.Stderr
	err = surroundings.Run(cmd)
	var exit *exec.ExitError
	if err != nil && (ctx.Err() != nil || !errors.As(err, &exit)) {
		return nil, nil, errors.Join(ctx.Err(), fmt.Errorf("the second build: %w", err))
	}
	var report againReport
	if decodeErr := json.Unmarshal(out.Bytes(), &report); decodeErr != nil {
		return nil, nil, fmt.Errorf("the second build: %w", errors.Join(err, decodeErr))
	}
	if report.Error != "" {
		return nil, nil, &Failure{Code: ExitFailed, Err: fmt.Errorf("the second build (--seed %d): %s", t.seed, report.Error), Remedy: report.Remedy}
	}
	text, err := os.ReadFile(report.Manifest)
	if err != nil {
		return nil, nil, fmt.Errorf("read the second build: %w", err)
	}
	manifest, err := system.ParseManifest(text)
	if err != nil {
		return nil, nil, err
	}
	return &build.System{Digest: report.Digest, Root: report.Root, Manifest: manifest}, &report.Surroundings, nil
}

// reportTwice says what the comparison found; a difference is a failure.
func (a *app) reportTwice(report *buildReport) error {
	t := report.Twice
	if t.Same {
		fmt.Fprintf(a.Stdout, "%s %s, the same twice\n", report.Machine, report.Digest)
		if a.verbose {
			a.printConditions(t)
		}
		return nil
	}
	fmt.Fprintf(a.Stdout, "%s differs in %s when it is built again (--seed %d):\n", report.Machine, count(len(t.Differences), "path"), t.Seed)
	shown := t.Differences[:min(shownDifferences, len(t.Differences))]
	for _, d := range shown {
		fmt.Fprintf(a.Stdout, "  %s\n", d)
	}
	if more := len(t.Differences) - len(shown); more > 0 {
		fmt.Fprintf(a.Stdout, "  … and %d more; --json has all\n", more)
	}
	if a.verbose {
		a.printConditions(t)
	}
	return t.failure()
}

// failure is the exit code of a comparison that found something.
func (t *twiceReport) failure() error {
	if t == nil || t.Same {
		return nil
	}
	return &Failure{Code: ExitFailed}
}

// shownDifferences is how many fit on one screen.
const shownDifferences = 20

func (a *app) printConditions(t *twiceReport) {
	fmt.Fprintf(a.Stdout, "seed %d\nvaried: %s\nnot varied: %s\n", t.Seed, strings.Join(t.Conditions, "; "), strings.Join(t.Kept, "; "))
}
