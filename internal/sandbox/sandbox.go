package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spec says what is run, and in which root.
type Spec struct {
	Root Root
	Argv []string
	Env  []string // complete; nothing is inherited
	Dir  string   // inside the root; "/" when empty

	// AllCPUs lets the program see every CPU. Without it, it sees one, so
	// that nothing it writes depends on their number.
	AllCPUs bool
	// FirstPID is about the number that the program's first child gets, where
	// the host lets that be chosen; 0 leaves it to the kernel.
	FirstPID int
	// Terminal makes the program the foreground process group of the
	// terminal on Stdin.
	Terminal bool

	Stdin          io.Reader  // empty when nil
	Stdout, Stderr io.Writer  // discarded when nil
	Files          []*os.File // descriptors 3, 4, … of the program
}

// marker is argv[0] of the second run of the executable.
const marker = "stet-sandbox"

// setup is what the second run is told.
type setup struct {
	Root     Root
	Argv     []string
	Env      []string
	Dir      string
	AllCPUs  bool
	FirstPID int
}

// firstFile is the descriptor of the first of Spec.Files. Behind them the
// second run has its setup and the file that it writes its failure to.
const firstFile = 3

// failedStart is the exit status of a second run that could not start the
// program; its reason stands in the status file.
const failedStart = 125

// Run runs the program and waits for it. When ctx ends, everything that runs
// in the sandbox is killed. A program that exits with another status than
// zero is an *exec.ExitError.
func Run(ctx context.Context, spec Spec) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start sandbox: %w", err)
	}
	config, err := json.Marshal(setup{spec.Root, spec.Argv, spec.Env, spec.Dir, spec.AllCPUs, spec.FirstPID})
	if err != nil {
		return fmt.Errorf("start sandbox: %w", err)
	}
	configFile, err := memfile("stet-sandbox-config", config)
	if err != nil {
		return err
	}
	defer configFile.Close()
	statusFile, err := memfile("stet-sandbox-status", nil)
	if err != nil {
		return err
	}
	defer statusFile.Close()

	cmd := exec.CommandContext(ctx, executable)
	cmd.Args = []string{marker, strconv.Itoa(len(spec.Files))}
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = spec.Stdin, spec.Stdout, spec.Stderr
	cmd.ExtraFiles = append(slices.Clone(spec.Files), configFile, statusFile)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
		Foreground: spec.Terminal,
	}
	// The kernel sends the signal when the thread that forked ends
	// (PR_SET_PDEATHSIG(2const)), and threads that made mounts do end: so this
	// one is kept until the program is gone.
	runtime.LockOSThread()
	err = cmd.Run()
	runtime.UnlockOSThread()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("start sandbox: %w: new namespaces need root here; run stet as root", err)
	case errors.As(err, &exit) && exit.ExitCode() == failedStart:
		if reason := readAll(statusFile); reason != "" {
			return fmt.Errorf("start %s in the sandbox: %s", spec.Argv[0], reason)
		}
	}
	return err
}

// memfile is a file in memory that the second run inherits.
func memfile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	if _, err := file.WriteAt(content, 0); err != nil {
		file.Close()
		return nil, fmt.Errorf("start sandbox: %w", err)
	}
	return file, nil
}

func readAll(file *os.File) string {
	var text bytes.Buffer
	_, _ = io.Copy(&text, io.NewSectionReader(file, 0, 1<<16))
	return strings.TrimSpace(text.String())
}
