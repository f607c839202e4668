package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pipeSize is what a pipe of Linux holds (pipe(7)); more cannot have been
	// written before a command ended.
	pipeSize = 64 << 10
	// quiet is how long a pipe stays silent before a command that has ended
	// counts as having said everything. Only a background process that keeps
	// the pipe open makes anyone wait for it.
	quiet = 100 * time.Millisecond
)

// searchPath is where commands are found: root's PATH in Debian's /etc/profile.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// find gives the path of a program as execvp(3) would, but with searchPath
// and not with what the agent itself was started with.
func find(program string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	for _, directory := range filepath.SplitList(searchPath) {
		path := filepath.Join(directory, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: no such program in %s", program, searchPath)
}

// environment is what commands get: root's login without a terminal.
func environment(extra []string) []string {
	env := []string{
		"PATH=" + searchPath,
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh",
	}
	if lang := os.Getenv("LANG"); lang != "" {
		env = append(env, "LANG="+lang)
	}
	return append(env, extra...)
}

// exec runs a command in a process group of its own.
func (s *Server) exec(ctx context.Context, f *frame, r *request) *frame {
	fail := func(err error) *frame { return &frame{Op: opError, Message: err.Error()} }
	if len(f.Argv) == 0 {
		return fail(errors.New("a command without words"))
	}
	path, err := find(f.Argv[0])
	if err != nil {
		return fail(err)
	}
	command := &exec.Cmd{Path: path, Args: f.Argv, Env: environment(f.Env), Dir: f.Directory}
	if command.Dir == "" {
		command.Dir = "/"
	}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	// The pipes are ours and not os/exec's, because Wait must not wait for a
	// daemon that the command left behind with its output open.
	var ours, theirs []*os.File
	closeAll := func(files []*os.File) {
		for _, file := range files {
			file.Close()
		}
	}
	defer func() { closeAll(ours) }()
	for range 3 {
		reading, writing, err := os.Pipe()
		if err != nil {
			closeAll(theirs)
			return fail(err)
		}
		if len(ours) == 0 {
			ours, theirs = append(ours, writing), append(theirs, reading)
		} else {
			ours, theirs = append(ours, reading), append(theirs, writing)
		}
	}
	command.Stdin, command.Stdout, command.Stderr = theirs[0], theirs[1], theirs[2]
	err = command.Start()
	closeAll(theirs)
	if err != nil {
		return fail(err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	})
	defer stop()

	go func() {
		// A command that does not read its input ends this with EPIPE or by
		// the closed file.
		_, _ = io.Copy(ours[0], r.stdin)
		ours[0].Close()
	}()
	var outputs sync.WaitGroup
	ended := make(chan struct{})
	outputs.Go(func() { s.output(ours[1], r, streamStdout, r.stdout, ended) })
	outputs.Go(func() { s.output(ours[2], r, streamStderr, r.stderr, ended) })

	err = command.Wait()
	r.stdin.end(io.EOF)
	close(ended)
	outputs.Wait()
	return lastFrame(ctx, command, err)
}

// output sends what a command writes on one stream until the stream ends, or
// the command has ended and the stream is quiet.
func (s *Server) output(file *os.File, r *request, stream string, c *credit, ended <-chan struct{}) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ended:
			_ = file.SetReadDeadline(time.Now().Add(quiet))
		case <-done:
		}
	}()
	tail := &afterEnd{file: file, ended: ended, left: pipeSize}
	_ = sendStream(tail, c, s.sender(r, stream))
}

// afterEnd reads a pipe; after the command's end it reads what the pipe held
// then, and stops at the first silence.
type afterEnd struct {
	file  *os.File
	ended <-chan struct{}
	left  int
}

func (a *afterEnd) Read(p []byte) (int, error) {
	select {
	case <-a.ended:
		if a.left <= 0 {
			return 0, io.EOF
		}
		_ = a.file.SetReadDeadline(time.Now().Add(quiet))
		n, err := a.file.Read(p)
		a.left -= n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = io.EOF
		}
		return n, err
	default:
		n, err := a.file.Read(p)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return n, nil // the command ended meanwhile
		}
		return n, err
	}
}

func lastFrame(ctx context.Context, command *exec.Cmd, err error) *frame {
	last := &frame{Op: opExit, TimedOut: errors.Is(ctx.Err(), context.DeadlineExceeded)}
	state := command.ProcessState
	if state == nil {
		return &frame{Op: opError, Message: fmt.Sprintf("wait for %s: %v", command.Path, err)}
	}
	last.Status = state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		// As a shell says it.
		last.Status = 128 + int(status.Signal())
		last.Signal = unix.SignalName(status.Signal())
	}
	return last
}

func (s *Server) readFile(path string, r *request) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return sendStream(file, r.stdout, s.sender(r, streamStdout))
}

// writeFile replaces a regular file as a whole, and writes into anything else
// (a file of /proc or /sys, a device) directly.
func writeFile(path string, mode uint32, content io.Reader) error {
	if mode == 0 {
		mode = 0o644
	}
	target := path
	info, err := os.Lstat(path)
	replace := errors.Is(err, os.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() > 0
	if replace {
		file, err := os.CreateTemp(filepath.Dir(path), ".stet-agent-")
		if err != nil {
			return err
		}
		target = file.Name()
		file.Close()
		defer os.Remove(target) // gone already when the rename worked
	}
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, os.FileMode(mode&0o777))
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if !replace {
		return nil
	}
	if err := os.Chmod(target, os.FileMode(mode&0o777)); err != nil {
		return err
	}
	return os.Rename(target, path)
}
