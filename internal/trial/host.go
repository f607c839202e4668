package trial

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// maxOutput is how many bytes of a command's output a result keeps.
const maxOutput = 1 << 20

// runOnHost runs a shell command, and kills all it started when ctx ends.
func runOnHost(ctx context.Context, line, directory string, environment []string) ([]byte, int, error) {
	var output outputBuffer
	command := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	command.Dir = directory
	command.Env = environment
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	// A server that the command left in the background keeps its output open.
	command.WaitDelay = time.Second
	err := command.Run()
	if ctx.Err() != nil {
		return output.bytes(), 0, context.Cause(ctx)
	}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		status := exit.ExitCode()
		if wait, ok := exit.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
			status = 128 + int(wait.Signal())
		}
		return output.bytes(), status, nil
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return output.bytes(), 0, err
	}
	return output.bytes(), 0, nil
}

// outputBuffer takes stdout and stderr in the order in which they come.
type outputBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (o *outputBuffer) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if room := maxOutput - o.buffer.Len(); room > 0 {
		o.buffer.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

func (o *outputBuffer) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.buffer.Bytes())
}
