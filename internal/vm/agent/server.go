package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"time"
)

// maxRequests is how many requests an agent carries out at once.
const maxRequests = 64

// Server is the guest's side of the channel.
type Server struct {
	session string
	port    io.Writer

	writing  sync.Mutex
	mu       sync.Mutex
	requests map[uint64]*request
	running  sync.WaitGroup
}

// request is one request that is being carried out.
type request struct {
	id     uint64
	cancel context.CancelFunc
	stdin  *inbox
	stdout *credit
	stderr *credit
}

// Serve greets the host on port and carries out its requests until reading
// fails or the context ends. Commands that still run are killed then. The
// caller closes the port to wake up Serve when the context ends.
func Serve(ctx context.Context, port io.ReadWriter) error {
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("make session name: %w", err)
	}
	s := &Server{session: hex.EncodeToString(id[:]), port: port, requests: map[uint64]*request{}}
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		s.running.Wait()
	}()
	if err := s.send(s.hello()); err != nil {
		return err
	}
	frames := newFrameReader(port)
	for ctx.Err() == nil {
		f, err := frames.next()
		if err != nil {
			return fmt.Errorf("read port: %w", err)
		}
		if err := s.handle(ctx, f); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s *Server) hello() *frame {
	return &frame{Op: opHello, Version: Version, Session: s.session}
}

// send writes one frame. Its error is that of the port and ends the server.
func (s *Server) send(f *frame) error {
	line, err := f.encode()
	if err != nil {
		return err
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if _, err := s.port.Write(line); err != nil {
		return fmt.Errorf("write port: %w", err)
	}
	return nil
}

func (s *Server) handle(ctx context.Context, f *frame) error {
	if f.Op == opHello {
		return s.send(s.hello())
	}
	if f.Session != s.session {
		return nil // meant for an agent that is gone; it must not be carried out now
	}
	switch f.Op {
	case opExec, opRead, opWrite, opWake:
		return s.begin(ctx, f)
	}
	s.mu.Lock()
	r := s.requests[f.ID]
	s.mu.Unlock()
	if r == nil {
		return nil
	}
	switch f.Op {
	case opCancel:
		r.cancel()
	case opData:
		if f.Stream == streamStdin && !r.stdin.put(f.Data) {
			r.cancel()
		}
	case opEnd:
		if f.Stream == streamStdin {
			r.stdin.end(io.EOF)
		}
	case opAck:
		switch f.Stream {
		case streamStdout:
			r.stdout.give(f.Bytes)
		case streamStderr:
			r.stderr.give(f.Bytes)
		}
	}
	return nil
}

func (s *Server) begin(ctx context.Context, f *frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ID == 0 || s.requests[f.ID] != nil {
		return s.send(&frame{Op: opError, ID: f.ID, Message: fmt.Sprintf("request id %d is zero or in use", f.ID)})
	}
	if len(s.requests) >= maxRequests {
		return s.send(&frame{Op: opError, ID: f.ID, Message: fmt.Sprintf("more than %d requests at once", maxRequests)})
	}
	var cancel context.CancelFunc
	if f.Op == opExec && f.TimeoutMillis > 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(f.TimeoutMillis)*time.Millisecond)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	r := &request{id: f.ID, cancel: cancel, stdout: newCredit(), stderr: newCredit()}
	r.stdin = newInbox(func(n int) {
		// An error here is one of the port; Serve sees it too.
		_ = s.send(&frame{Op: opAck, ID: r.id, Stream: streamStdin, Bytes: n})
	})
	context.AfterFunc(ctx, func() {
		r.stdin.end(context.Cause(ctx))
		r.stdout.close()
		r.stderr.close()
	})
	s.requests[f.ID] = r
	s.running.Go(func() {
		last := s.carryOut(ctx, f, r)
		cancel()
		s.mu.Lock()
		delete(s.requests, r.id)
		s.mu.Unlock()
		last.ID = r.id
		_ = s.send(last)
	})
	return nil
}

// carryOut does what the frame asks for and gives the request's last frame.
func (s *Server) carryOut(ctx context.Context, f *frame, r *request) *frame {
	var err error
	switch f.Op {
	case opExec:
		return s.exec(ctx, f, r)
	case opRead:
		err = s.readFile(f.Path, r)
	case opWrite:
		err = writeFile(f.Path, f.Mode, r.stdin)
	case opWake:
		err = wake(time.Unix(0, f.Clock), f.Data)
	}
	if err != nil {
		return &frame{Op: opError, Message: err.Error()}
	}
	return &frame{Op: opExit}
}

// sender gives the function that sends data on one stream of a request.
func (s *Server) sender(r *request, stream string) func([]byte) error {
	return func(data []byte) error {
		return s.send(&frame{Op: opData, ID: r.id, Stream: stream, Data: data})
	}
}
