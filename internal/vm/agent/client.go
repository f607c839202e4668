package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

var (
	// ErrClosed means that the channel is gone, and with it the machine.
	ErrClosed = errors.New("the machine is gone")
	// ErrRestarted means that the machine booted anew before it answered.
	ErrRestarted = errors.New("the machine started anew before it answered")
)

// maxOutput is how many bytes of output a [Result] holds per stream.
const maxOutput = 16 << 20

// Command is a program to run in the guest as root.
type Command struct {
	// Argv is the program and its arguments. A program without a slash is
	// looked up in root's PATH.
	Argv []string
	// Env has further "NAME=value" words.
	Env []string
	// Directory is where it runs; empty means "/".
	Directory string
	// Stdin is its input; nil means empty.
	Stdin io.Reader
	// Stdout and Stderr get the output as it comes; nil collects it in the
	// result.
	Stdout, Stderr io.Writer
	// Timeout kills the command and what it started; 0 means never.
	Timeout time.Duration
}

// Shell is a command line for /bin/sh.
func Shell(line string) Command { return Command{Argv: []string{"/bin/sh", "-c", line}} }

// Result is how a command ended.
type Result struct {
	Stdout, Stderr []byte
	// ExitStatus is 128 plus the signal's number for a killed command, as
	// shells say it.
	ExitStatus int
	// Signal is the name of that signal, such as "SIGKILL".
	Signal string
	// TimedOut says that the command was killed for its timeout.
	TimedOut bool
	// Truncated says that output beyond 16 MiB was dropped.
	Truncated bool
}

// Client is the host's side of the channel.
type Client struct {
	port io.ReadWriteCloser
	out  chan []byte

	mu      sync.Mutex
	changed chan struct{} // closed and renewed at each hello
	session string
	version int
	next    uint64
	pending map[uint64]*call
	err     error
	done    chan struct{}
}

type call struct {
	stdout, stderr *inbox
	stdin          *credit
	last           chan *frame
	failed         chan struct{}
	err            error
}

// NewClient begins to listen on port. Close ends it.
func NewClient(port io.ReadWriteCloser) *Client {
	c := &Client{
		port: port, out: make(chan []byte), changed: make(chan struct{}),
		pending: map[uint64]*call{}, done: make(chan struct{}),
	}
	go c.listen()
	go c.write()
	return c
}

// Close ends the channel; what is under way gets [ErrClosed].
func (c *Client) Close() error {
	c.fail(ErrClosed)
	return c.port.Close()
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	close(c.done)
	c.abandon(err)
}

// abandon ends all calls; c.mu is held.
func (c *Client) abandon(err error) {
	for id, call := range c.pending {
		delete(c.pending, id)
		call.end(err)
	}
}

func (call *call) end(err error) {
	call.err = err
	call.stdout.end(err)
	call.stderr.end(err)
	call.stdin.close()
	close(call.failed)
}

func (c *Client) listen() {
	frames := newFrameReader(c.port)
	for {
		f, err := frames.next()
		if err != nil {
			c.fail(ErrClosed)
			return
		}
		c.receive(f)
	}
}

func (c *Client) receive(f *frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Op == opHello {
		if f.Session != c.session {
			c.abandon(ErrRestarted)
			c.session, c.version = f.Session, f.Version
			close(c.changed)
			c.changed = make(chan struct{})
		}
		return
	}
	call := c.pending[f.ID]
	if call == nil {
		return
	}
	switch f.Op {
	case opData:
		box := call.stdout
		if f.Stream == streamStderr {
			box = call.stderr
		}
		if !box.put(f.Data) {
			box.end(errors.New("the agent sent more than was acknowledged"))
		}
	case opAck:
		if f.Stream == streamStdin {
			call.stdin.give(f.Bytes)
		}
	case opExit, opError:
		delete(c.pending, f.ID)
		call.stdout.end(io.EOF)
		call.stderr.end(io.EOF)
		call.stdin.close()
		call.last <- f
	}
}

func (c *Client) write() {
	for {
		select {
		case line := <-c.out:
			if _, err := c.port.Write(line); err != nil {
				c.fail(ErrClosed)
				return
			}
		case <-c.done:
			return
		}
	}
}

func (c *Client) send(ctx context.Context, f *frame) error {
	line, err := f.encode()
	if err != nil {
		return err
	}
	select {
	case c.out <- line:
		return nil
	case <-c.done:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Hello waits for an agent whose session is another one than after, and gives
// its session. An empty after is content with any.
func (c *Client) Hello(ctx context.Context, after string) (session string, err error) {
	for {
		c.mu.Lock()
		session, version, changed, err := c.session, c.version, c.changed, c.err
		c.mu.Unlock()
		switch {
		case err != nil:
			return "", err
		case session != "" && session != after && version != Version:
			return "", fmt.Errorf("the agent in the machine speaks protocol version %d, this stet %d", version, Version)
		case session != "" && session != after:
			return session, nil
		}
		select {
		case <-changed:
		case <-c.done:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

// Run carries out a command and waits for its end. The error says that it
// could not be run or followed; an exit status other than 0 is none.
func (c *Client) Run(ctx context.Context, command Command) (*Result, error) {
	f := &frame{
		Op: opExec, Argv: command.Argv, Env: command.Env, Directory: command.Directory,
		TimeoutMillis: command.Timeout.Milliseconds(),
	}
	var result Result
	stdout, stderr := &limited{truncated: &result.Truncated}, &limited{truncated: &result.Truncated}
	if command.Stdout == nil {
		command.Stdout = stdout
	}
	if command.Stderr == nil {
		command.Stderr = stderr
	}
	last, err := c.do(ctx, f, command.Stdin, command.Stdout, command.Stderr)
	if err != nil {
		return nil, err
	}
	result.Stdout, result.Stderr = stdout.buffer.Bytes(), stderr.buffer.Bytes()
	result.ExitStatus, result.Signal, result.TimedOut = last.Status, last.Signal, last.TimedOut
	return &result, nil
}

// ReadFile gives the content of a file of the guest, up to 16 MiB.
func (c *Client) ReadFile(ctx context.Context, path string) ([]byte, error) {
	var truncated bool
	content := &limited{truncated: &truncated}
	if _, err := c.do(ctx, &frame{Op: opRead, Path: path}, nil, content, io.Discard); err != nil {
		return nil, err
	}
	if truncated {
		return nil, fmt.Errorf("read %s in the machine: more than %d bytes", path, maxOutput)
	}
	return content.buffer.Bytes(), nil
}

// WriteFile makes or replaces a file of the guest; mode has permission bits.
func (c *Client) WriteFile(ctx context.Context, path string, mode uint32, content io.Reader) error {
	_, err := c.do(ctx, &frame{Op: opWrite, Path: path, Mode: mode}, content, io.Discard, io.Discard)
	return err
}

// do sends a request, feeds its input, hands out its output, and gives the
// last frame.
func (c *Client) do(ctx context.Context, f *frame, stdin io.Reader, stdout, stderr io.Writer) (*frame, error) {
	if _, err := c.Hello(ctx, ""); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return nil, c.err
	}
	c.next++
	f.ID, f.Session = c.next, c.session
	id, session := f.ID, f.Session
	acknowledge := func(stream string) *inbox {
		return newInbox(func(n int) {
			_ = c.send(context.WithoutCancel(ctx), &frame{Op: opAck, ID: id, Session: session, Stream: stream, Bytes: n})
		})
	}
	current := &call{
		stdout: acknowledge(streamStdout), stderr: acknowledge(streamStderr),
		stdin: newCredit(), last: make(chan *frame, 1), failed: make(chan struct{}),
	}
	c.pending[id] = current
	c.mu.Unlock()

	if err := c.send(ctx, f); err != nil {
		c.forget(id)
		return nil, err
	}
	go c.feed(ctx, id, session, stdin, current)

	var copying sync.WaitGroup
	var failures [2]error
	copying.Go(func() { _, failures[0] = io.Copy(stdout, current.stdout) })
	copying.Go(func() { _, failures[1] = io.Copy(stderr, current.stderr) })
	stop := context.AfterFunc(ctx, func() {
		// The machine may hang; nobody waits for the answer.
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.send(brief, &frame{Op: opCancel, ID: id, Session: session})
		c.forget(id)
		current.stdout.end(context.Cause(ctx))
		current.stderr.end(context.Cause(ctx))
		current.stdin.close()
	})
	defer stop()

	select {
	case last := <-current.last:
		copying.Wait()
		if last.Op == opError {
			return nil, errors.New(last.Message)
		}
		return last, errors.Join(failures[:]...)
	case <-current.failed:
		return nil, current.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (c *Client) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

func (c *Client) feed(ctx context.Context, id uint64, session string, stdin io.Reader, current *call) {
	if stdin != nil {
		err := sendStream(stdin, current.stdin, func(data []byte) error {
			return c.send(ctx, &frame{Op: opData, ID: id, Session: session, Stream: streamStdin, Data: data})
		})
		if err != nil {
			_ = c.send(ctx, &frame{Op: opCancel, ID: id, Session: session})
			return
		}
	}
	_ = c.send(ctx, &frame{Op: opEnd, ID: id, Session: session, Stream: streamStdin})
}

// limited keeps the first maxOutput bytes.
type limited struct {
	buffer    bytes.Buffer
	truncated *bool
}

func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.buffer.Len(); len(p) > room {
		*l.truncated = true
		l.buffer.Write(p[:room])
	} else {
		l.buffer.Write(p)
	}
	return len(p), nil
}
