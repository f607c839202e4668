package example

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile is the name of a repository's lock.
const lockFile = "stet.lock"

// Prepare gives a repository of the named example with every locked package
// in the store (STET_STORE): examples/NAME itself or, when the mirrors no
// longer have its packages, a copy below .cache/ that was locked anew. The
// copy is kept, and taken again while its own packages can be had.
//
// When it is a copy, one line on stderr says so. Altered bytes are an error:
// they are no reason to lock others.
func Prepare(ctx context.Context, stet, name string) (dir string, relocked bool, err error) {
	root, err := Root()
	if err != nil {
		return "", false, err
	}
	return prepare(ctx, stet, filepath.Join(root, "examples", name), filepath.Join(root, ".cache", "relocked", name), os.Stderr)
}

func prepare(ctx context.Context, stet, dir, copied string, say io.Writer) (string, bool, error) {
	var failure *Failure
	err := run(ctx, stet, "-C", dir, "--json", "fetch")
	if err == nil {
		return dir, false, nil
	}
	if !errors.As(err, &failure) || failure.Reason == "altered" || failure.ExitCode != 1 {
		return "", false, fmt.Errorf("fetch the packages of %s: %w", dir, err)
	}
	// Without what a person could do about it.
	why, _, _ := strings.Cut(strings.SplitN(failure.Message, "\n", 2)[0], ": run ")
	if errAgain := relock(ctx, stet, dir, copied); errAgain != nil {
		return "", false, fmt.Errorf("fetch the packages of %s: %w; and a copy cannot be locked anew: %w", dir, err, errAgain)
	}
	fmt.Fprintf(say, "the packages that examples/%s has locked cannot be had: re-locked a temporary copy (%s)\n", filepath.Base(dir), why)
	return copied, true, nil
}

// relock brings the copy up to date with the example and gives it a lock
// whose packages can be had.
func relock(ctx context.Context, stet, dir, copied string) error {
	if err := os.MkdirAll(filepath.Dir(copied), 0o755); err != nil {
		return err
	}
	guard, err := os.OpenFile(copied+".guard", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer guard.Close()
	// Tests of several packages run at the same time.
	if err := unix.Flock(int(guard.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("wait for the copy %s: %w", copied, err)
	}
	locked, err := update(copied, dir)
	if err != nil {
		return err
	}
	if locked && run(ctx, stet, "-C", copied, "--json", "lock") == nil && run(ctx, stet, "-C", copied, "--json", "fetch") == nil {
		return nil
	}
	return run(ctx, stet, "-C", copied, "--json", "update")
}

// update writes to the copy what the example has, and no more, since others
// may be reading it. It tells whether the copy had a lock already; if not, it
// begins with the example's, whose ids stay.
func update(copied, dir string) (locked bool, err error) {
	_, err = os.Stat(filepath.Join(copied, lockFile))
	locked = err == nil
	err = filepath.WalkDir(dir, func(from string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, from)
		to := filepath.Join(copied, name)
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.MkdirAll(to, 0o755)
		case name == lockFile && locked:
			return nil
		}
		want, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if have, err := os.ReadFile(to); err == nil && bytes.Equal(have, want) {
			return nil
		}
		return os.WriteFile(to, want, 0o644)
	})
	return locked, err
}

// Failure is a run of stet that ended with another exit code than 0.
type Failure struct {
	ExitCode int
	Message  string // what the report says is wrong
	Reason   string // "gone", "altered", "unreachable" or ""
}

// Error implements error.
func (f *Failure) Error() string { return f.Message }

// run runs stet with --json among its arguments.
func run(ctx context.Context, stet string, args ...string) error {
	_, err := output(ctx, nil, stet, args...)
	return err
}

// output runs stet with --json among its arguments and gives its report. What
// it says of its progress is not shown; what it says of a failure is the error.
func output(ctx context.Context, environment []string, stet string, args ...string) ([]byte, error) {
	store, err := Store()
	if err != nil {
		return nil, err
	}
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, stet, args...)
	command.Env = slices.Concat(os.Environ(), []string{store}, environment)
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return stdout.Bytes(), err
	}
	var report struct{ Error, Reason string }
	if json.Unmarshal(stdout.Bytes(), &report) != nil || report.Error == "" {
		report.Error = strings.TrimSpace(stderr.String())
	}
	return nil, &Failure{exit.ExitCode(), report.Error, report.Reason}
}
