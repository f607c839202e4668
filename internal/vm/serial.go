package vm

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// lastWords is how long the rest of a kernel's message takes to reach the log.
const lastWords = 200 * time.Millisecond

// serialKept is how many bytes of the console's output a VM remembers.
const serialKept = 1 << 20

// serial is the guest's serial console over all boots of a VM.
type serial struct {
	log  tail
	also io.Writer // Config.Serial

	mu       sync.Mutex
	current  *console // of the present boot or the last one; nil before the first
	attached io.Writer
}

// console is the serial console of one boot.
type console struct {
	connection io.ReadWriter
	line       []byte
	panicked   chan struct{} // closed at a kernel panic
	misled     chan struct{} // closed when the emulator broke the kernel, see emulator.go
	ended      chan struct{} // closed when all that was said has been passed on
}

func newSerial(also io.Writer) *serial {
	return &serial{log: tail{limit: serialKept}, also: also}
}

// connect begins a boot: it reads a QEMU's console until that ends.
func (s *serial) connect(connection io.ReadWriter) *console {
	c := &console{connection: connection, panicked: make(chan struct{}), misled: make(chan struct{}), ended: make(chan struct{})}
	s.mu.Lock()
	s.current = c
	s.mu.Unlock()
	go func() {
		defer close(c.ended)
		buffer := make([]byte, 4096)
		for {
			n, err := connection.Read(buffer)
			s.said(buffer[:n])
			c.watch(buffer[:n])
			if err != nil {
				return
			}
		}
	}()
	return c
}

func (s *serial) said(data []byte) {
	_, _ = s.log.Write(data)
	if s.also != nil {
		_, _ = s.also.Write(data) // a log that cannot be written stops no machine
	}
	s.mu.Lock()
	attached := s.attached
	s.mu.Unlock()
	if attached != nil {
		_, _ = attached.Write(data)
	}
}

// watch looks for the kernel's last words.
func (c *console) watch(data []byte) {
	c.line = append(c.line, data...)
	for text, seen := range map[string]chan struct{}{
		"Kernel panic - not syncing": c.panicked,
		"Oops: int3:":                c.misled,
		"rcu_preempt kthread timer wakeup didn't happen": c.misled,
	} {
		if !bytes.Contains(c.line, []byte(text)) {
			continue
		}
		select {
		case <-seen:
		default:
			close(seen)
		}
	}
	if end := bytes.LastIndexByte(c.line, '\n'); end >= 0 {
		c.line = append(c.line[:0], c.line[end+1:]...)
	}
	if len(c.line) > 4096 {
		c.line = c.line[:0]
	}
}

// Write types into the console.
func (s *serial) Write(data []byte) (int, error) {
	s.mu.Lock()
	current := s.current
	s.mu.Unlock()
	if current == nil {
		return len(data), nil // nobody listens while the machine is off
	}
	return current.connection.Write(data)
}

func (s *serial) attach(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached = w
}
