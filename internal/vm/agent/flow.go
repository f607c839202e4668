package agent

import (
	"io"
	"sync"
)

// credit counts the bytes of one stream that a sender may still send before
// the receiver has acknowledged earlier ones. Without it one slow reader would
// stop every other request on the shared port.
type credit struct {
	mu     sync.Mutex
	cond   *sync.Cond
	left   int
	closed bool
}

func newCredit() *credit {
	c := &credit{left: window}
	c.cond = sync.NewCond(&c.mu)
	return c
}

// take waits for room and takes up to want bytes; 0 means the stream is closed.
func (c *credit) take(want int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.left == 0 && !c.closed {
		c.cond.Wait()
	}
	if c.closed {
		return 0
	}
	n := min(want, c.left)
	c.left -= n
	return n
}

func (c *credit) give(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A peer cannot widen the window by acknowledging what was never sent.
	c.left = min(c.left+n, window)
	c.cond.Broadcast()
}

func (c *credit) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cond.Broadcast()
}

// inbox holds the received bytes of one stream until they are consumed. It is
// bounded by the window, which the sender keeps.
type inbox struct {
	mu     sync.Mutex
	cond   *sync.Cond
	held   [][]byte
	size   int
	err    error // why no more comes; io.EOF for a regular end
	onRead func(n int)
}

// newInbox makes an inbox; onRead is told of consumed bytes, to acknowledge them.
func newInbox(onRead func(n int)) *inbox {
	b := &inbox{onRead: onRead}
	b.cond = sync.NewCond(&b.mu)
	return b
}

// put keeps data. It reports false when the sender did not keep to the window.
func (b *inbox) put(data []byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || len(data) == 0 {
		return true
	}
	if b.size+len(data) > window {
		return false
	}
	b.held = append(b.held, data)
	b.size += len(data)
	b.cond.Broadcast()
	return true
}

// end lets readers see err after what is held; the first end counts.
func (b *inbox) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
	}
	b.cond.Broadcast()
}

// Read implements [io.Reader].
func (b *inbox) Read(p []byte) (int, error) {
	b.mu.Lock()
	for len(b.held) == 0 && b.err == nil {
		b.cond.Wait()
	}
	if len(b.held) == 0 {
		defer b.mu.Unlock()
		return 0, b.err
	}
	n := copy(p, b.held[0])
	if b.held[0] = b.held[0][n:]; len(b.held[0]) == 0 {
		b.held = b.held[1:]
	}
	b.size -= n
	b.mu.Unlock()
	if b.onRead != nil {
		b.onRead(n)
	}
	return n, nil
}

// sendStream sends what r gives as data frames within the window of c, and
// returns the error of the reader, nil at its end.
func sendStream(r io.Reader, c *credit, send func(data []byte) error) error {
	buffer := make([]byte, chunk)
	for {
		n, err := r.Read(buffer)
		for rest := buffer[:n]; len(rest) > 0; {
			taken := c.take(len(rest))
			if taken == 0 {
				return nil
			}
			if err := send(rest[:taken]); err != nil {
				return err
			}
			rest = rest[taken:]
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
