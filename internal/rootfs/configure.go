package rootfs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stet/internal/graph"
	"stet/internal/progress"
	"stet/internal/sandbox"
)

// ScriptError is a maintainer script that failed, or a dpkg that refused, or a
// script that had to be killed.
type ScriptError struct {
	Package string // empty when no single package can be named
	Step    string // "preinst", "configure" or "triggers"
	Output  string // the last lines of what was printed
	Err     error
}

// Error implements error.
func (e *ScriptError) Error() string {
	who := e.Step
	if e.Package != "" {
		who = fmt.Sprintf("%s of package %s", e.Step, e.Package)
	}
	return fmt.Sprintf("%s failed (%v); it printed last:\n%s", who, e.Err, e.Output)
}

// Unwrap implements errors.Unwrap.
func (e *ScriptError) Unwrap() error { return e.Err }

// shownLines is how much of a failed script's output an error shows.
const shownLines = 12

// runIn runs a script in the root and says how far it is. What it writes takes room.
func (b *Builder) runIn(ctx context.Context, root sandbox.Root, r room, run scriptRun, epoch int64) error {
	scriptFile, err := temporary(run.script)
	if err != nil {
		return err
	}
	defer scriptFile.Close()
	statusReader, statusWriter, err := os.Pipe()
	if err != nil {
		return err
	}
	defer statusReader.Close()

	var output tail
	watch := b.watch(ctx, r)
	status := follower{stage: run.stage, total: run.packages, report: b.Report, observe: b.Observe, alive: watch.alive}
	var group errgroup.Group
	group.Go(func() error { return status.follow(statusReader) })
	err = sandbox.Run(watch, sandbox.Spec{
		Root: root, Argv: []string{"/bin/sh", "/proc/self/fd/4"}, Env: environment(epoch),
		Stdout: &output, Stderr: &output, Files: []*os.File{statusWriter, scriptFile},
		FirstPID: b.firstPID(),
	})
	statusWriter.Close()
	followErr := group.Wait()
	why := watch.end(err)
	met := err != nil && status.step != "" && errors.Is(why, unix.ENOSPC) // a script met the end of the disk
	if met || isOfProgram(why) {
		return &ScriptError{Package: status.failed(), Step: status.step, Output: output.String(), Err: why}
	}
	return errors.Join(why, followErr)
}

// isOfProgram tells a program that failed or got stuck from all that may fail
// around it.
func isOfProgram(err error) bool {
	var exit *exec.ExitError
	var stuck *StuckError
	return errors.As(err, &exit) || errors.As(err, &stuck)
}

// firstPID is where process numbers begin: where the kernel has them, or, in a
// shuffled run, at one of 16384 other numbers.
func (b *Builder) firstPID() int {
	if b.Shuffle == 0 {
		return 0
	}
	return 1000 + int(b.Shuffle%16384)
}

// temporary is a file in memory that holds text and is at its beginning: a
// build depends on no directory but its store.
func temporary(text string) (*os.File, error) {
	fd, err := unix.MemfdCreate("stet-script", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	file := os.NewFile(uintptr(fd), "stet-script")
	_, err = file.WriteString(text)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return file, nil
}

// follower reads the script's steps and dpkg's status lines (dpkg(1),
// --status-fd) and remembers the last of each.
type follower struct {
	stage   string
	total   int
	report  progress.Func
	observe graph.Observer
	ended   func(graph.Outcome) // of the package that is worked on
	step    string
	alive   func() // is told of every line
	current string // the package that is worked on
	errored string // the package that dpkg says failed
	done    int
}

func (f *follower) follow(r io.Reader) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f.alive()
		f.line(lines.Text())
	}
	f.rest()
	return lines.Err()
}

// workOn notes which package is worked on from now.
func (f *follower) workOn(name string) {
	f.rest()
	f.current = name
	if name != "" {
		f.ended = f.observe.Begin(graph.Step{Stage: graph.Script, Name: f.step + " " + name})
	}
}

// rest notes that the work on a package is over.
func (f *follower) rest() {
	if f.ended != nil {
		f.ended(graph.Outcome{})
		f.ended = nil
	}
}

func (f *follower) line(line string) {
	if step, ok := strings.CutPrefix(line, stepPrefix); ok {
		var name string
		f.step, name, _ = strings.Cut(step, " ")
		f.workOn(name)
		return
	}
	words := strings.SplitN(line, ": ", 3)
	if len(words) < 3 {
		return
	}
	switch {
	case words[0] == "processing":
		f.workOn(strings.TrimSpace(words[2]))
	case words[0] == "status" && strings.HasPrefix(words[2], "error"):
		name, _, _ := strings.Cut(words[1], ":")
		f.errored = strings.TrimSpace(name) // dpkg writes a space behind it
	case words[0] == "status" && (words[2] == "installed" || words[2] == "triggers-pending" || words[2] == "triggers-awaited") && f.step == "configure":
		f.done = min(f.done+1, f.total)
	}
	f.report.Report(progress.Event{Stage: f.stage, Detail: f.current, Done: int64(f.done), Total: int64(f.total)})
}

func (f *follower) failed() string {
	if f.errored != "" {
		return f.errored
	}
	return f.current
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if extra := len(t.kept) - 64<<10; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	lines := bytes.Split(bytes.TrimSpace(t.kept), []byte("\n"))
	lines = lines[max(0, len(lines)-shownLines):]
	return "    " + string(bytes.Join(lines, []byte("\n    ")))
}
