package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"stet/test/example"
)

// Program is the stet program with its surroundings.
type Program struct {
	// Path is the executable.
	Path string
	// Dir is the working directory: the repository.
	Dir string
	// Env is laid over the environment of the test, "NAME=value".
	Env []string
	// Prefix is a command that runs the rest of its arguments, such as
	// "unshare", "-n".
	Prefix []string
}

// New gives the program that `make build` made, with the store of the tests, which
// is where the demo fetched to as well.
func New(t testing.TB, dir string, env ...string) Program {
	t.Helper()
	path, err := example.Stet()
	if err != nil {
		t.Fatal(err)
	}
	store, err := example.Store()
	if err != nil {
		t.Fatal(err)
	}
	return Program{Path: path, Dir: dir, Env: slices.Concat([]string{store}, env)}
}

// With gives the program with more environment.
func (p Program) With(env ...string) Program {
	p.Env = append(slices.Clone(p.Env), env...)
	return p
}

// Result is what a run gave.
type Result struct {
	Stdout, Stderr string
	Code           int
	Took           time.Duration
	CPU            time.Duration // of all its processes; other work on the host does not count
	Memory         int64         // the most that it had at one time, in bytes
}

// Command is the process before it starts.
func (p Program) Command(ctx context.Context, args ...string) *exec.Cmd {
	argv := append(append(slices.Clone(p.Prefix), p.Path), args...)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), p.Env...)
	return cmd
}

// Run runs one command line and waits.
func (p Program) Run(t testing.TB, args ...string) Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := p.Command(t.Context(), args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	begin := time.Now()
	err := cmd.Run()
	result := Result{Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(begin)}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run stet %v: %v", args, err)
	}
	result.Code = cmd.ProcessState.ExitCode()
	result.CPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		result.Memory = usage.Maxrss << 10
	}
	return result
}

// Must is Run that has to succeed.
func (p Program) Must(t testing.TB, args ...string) Result {
	t.Helper()
	r := p.Run(t, args...)
	if r.Code != 0 {
		t.Fatalf("stet %v ended with %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
	}
	return r
}

// Built is what `stet build --json` prints.
type Built struct {
	Machine, Digest, Kernel, Initrd, Manifest string
	Trees, Images                             map[string]string
	Packages                                  int
	Reused                                    bool
}

// Build builds the only machine of the repository.
func (p Program) Build(t testing.TB) Built {
	t.Helper()
	var built Built
	r := p.Must(t, "build", "--json")
	if err := json.Unmarshal([]byte(r.Stdout), &built); err != nil {
		t.Fatalf("stet build --json: %v\n%s", err, r.Stdout)
	}
	return built
}

// Store is the directory of the store that the program uses.
func (p Program) Store(t testing.TB) string {
	t.Helper()
	env := p.Command(t.Context()).Environ() // the last of a name counts
	cache := ""
	for _, name := range []string{"STET_STORE", "XDG_CACHE_HOME", "HOME"} {
		value := ""
		for _, line := range env {
			if v, ok := cutName(line, name); ok {
				value = v
			}
		}
		switch {
		case value == "":
		case name == "STET_STORE":
			return value
		case name == "XDG_CACHE_HOME":
			cache = value
		case cache == "":
			cache = filepath.Join(value, ".cache")
		}
	}
	return filepath.Join(cache, "stet")
}

func cutName(line, name string) (string, bool) {
	if len(line) > len(name) && line[:len(name)] == name && line[len(name)] == '=' {
		return line[len(name)+1:], true
	}
	return "", false
}
