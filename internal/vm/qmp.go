package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// qmpLine is the longest line that is read from QEMU, in bytes.
const qmpLine = 4 << 20

// errMonitorClosed means that QEMU is gone, or about to be.
var errMonitorClosed = errors.New("QEMU closed its monitor")

// qmp is a connection to QEMU's monitor; docs/interop/qmp-spec.txt of QEMU.
type qmp struct {
	connection io.ReadWriteCloser
	event      func(name, reason string)

	writing sync.Mutex
	mu      sync.Mutex
	next    uint64
	pending map[uint64]chan qmpMessage
	greeted chan struct{}
	done    chan struct{}
	err     error
}

// qmpMessage is any line that QEMU sends.
type qmpMessage struct {
	QMP    json.RawMessage `json:"QMP"`
	ID     uint64          `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class       string `json:"class"`
		Description string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Reason string `json:"reason"`
	} `json:"data"`
}

// newQMP reads from the connection until it ends; event is called for each
// event, with the reason of those that have one, and must not block.
func newQMP(connection io.ReadWriteCloser, event func(name, reason string)) *qmp {
	q := &qmp{
		connection: connection, event: event, pending: map[uint64]chan qmpMessage{},
		greeted: make(chan struct{}), done: make(chan struct{}),
	}
	go q.listen()
	return q
}

// negotiate waits for QEMU's greeting and leaves its negotiation mode.
func (q *qmp) negotiate(ctx context.Context) error {
	select {
	case <-q.greeted:
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return fmt.Errorf("wait for QEMU's greeting: %w", context.Cause(ctx))
	}
	return q.execute(ctx, "qmp_capabilities", nil, nil)
}

func (q *qmp) listen() {
	lines := bufio.NewScanner(q.connection)
	lines.Buffer(nil, qmpLine)
	greeted := false
	for lines.Scan() {
		var m qmpMessage
		if json.Unmarshal(lines.Bytes(), &m) != nil {
			continue
		}
		switch {
		case m.Event != "":
			q.event(m.Event, m.Data.Reason)
		case len(m.QMP) > 0 && !greeted:
			greeted = true
			close(q.greeted)
		case m.Return != nil || m.Error != nil:
			q.mu.Lock()
			answer := q.pending[m.ID]
			delete(q.pending, m.ID)
			q.mu.Unlock()
			if answer != nil {
				answer <- m
			}
		}
	}
	q.err = errMonitorClosed
	if err := lines.Err(); err != nil {
		q.err = fmt.Errorf("%w: %w", errMonitorClosed, err)
	}
	close(q.done)
}

// execute runs a command; result gets its return value unless nil.
func (q *qmp) execute(ctx context.Context, command string, arguments map[string]any, result any) error {
	return q.executeBy(ctx, q.write, command, arguments, result)
}

// give hands QEMU an open file, which it knows by name afterwards.
func (q *qmp) give(ctx context.Context, name string, file *os.File) error {
	socket, ok := q.connection.(*os.File)
	if !ok {
		return errors.New("monitor command getfd: the monitor is no socket")
	}
	send := func(line []byte) (err error) {
		connection, err := socket.SyscallConn()
		if err != nil {
			return err
		}
		failed := connection.Write(func(fd uintptr) bool {
			err = unix.Sendmsg(int(fd), line, unix.UnixRights(int(file.Fd())), nil, 0)
			return err != unix.EAGAIN
		})
		return errors.Join(failed, err)
	}
	return q.executeBy(ctx, send, "getfd", map[string]any{"fdname": name}, nil)
}

func (q *qmp) write(line []byte) error {
	_, err := q.connection.Write(line)
	return err
}

// executeBy runs a command that send brings to QEMU.
func (q *qmp) executeBy(ctx context.Context, send func(line []byte) error, command string, arguments map[string]any, result any) error {
	answer := make(chan qmpMessage, 1)
	q.mu.Lock()
	q.next++
	id := q.next
	q.pending[id] = answer
	q.mu.Unlock()
	defer func() {
		q.mu.Lock()
		delete(q.pending, id)
		q.mu.Unlock()
	}()
	request := map[string]any{"execute": command, "id": id}
	if arguments != nil {
		request["arguments"] = arguments
	}
	line, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("monitor command %s: %w", command, err)
	}
	q.writing.Lock()
	err = send(append(line, '\n'))
	q.writing.Unlock()
	if err != nil {
		return fmt.Errorf("monitor command %s: %w: %w", command, errMonitorClosed, err)
	}
	select {
	case m := <-answer:
		if m.Error != nil {
			return fmt.Errorf("monitor command %s: %s", command, m.Error.Description)
		}
		if result == nil {
			return nil
		}
		if err := json.Unmarshal(m.Return, result); err != nil {
			return fmt.Errorf("monitor command %s: %w", command, err)
		}
		return nil
	case <-q.done:
		return fmt.Errorf("monitor command %s: %w", command, q.err)
	case <-ctx.Done():
		return fmt.Errorf("monitor command %s: %w", command, context.Cause(ctx))
	}
}
