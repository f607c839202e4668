package vm

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// child is a QEMU process.
type child struct {
	command *exec.Cmd
	done    chan struct{} // closed when it has ended
	err     error         // how; valid when done is closed
}

// startChild starts a program that dies with this process, however that ends.
// output gets what it says; files become its descriptors 3, 4, …
func startChild(name string, args []string, files []*os.File, output io.Writer) (*child, error) {
	c := &child{command: exec.Command(name, args...), done: make(chan struct{})}
	c.command.Stdout, c.command.Stderr = output, output
	c.command.ExtraFiles = files
	// A process group of its own: Ctrl-C at the terminal is for stet, or for
	// the guest.
	c.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The kernel sends the signal when the *thread* that forked ends
		// (PR_SET_PDEATHSIG(2const)), so this one is kept until the child is
		// gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.command.Start()
		started <- err
		if err == nil {
			c.err = c.command.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) kill() { _ = c.command.Process.Kill() }

// tail keeps the last bytes that were written to it.
type tail struct {
	mu    sync.Mutex
	limit int
	text  []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, data...)
	// Cut rarely, not at each write.
	if len(t.text) > 2*t.limit {
		t.text = bytes.Clone(t.text[len(t.text)-t.limit:])
	}
	return len(data), nil
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.text[max(0, len(t.text)-t.limit):])
}
