package debian

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// xzBlockReader decompresses the blocks of one xz stream side by side and gives
// their bytes in order. One goroutine hands out the blocks, each of which is
// decompressed by a goroutine of its own; all of them end before Close returns.
type xzBlockReader struct {
	r       io.ReaderAt
	layout  xzLayout
	workers int

	start   sync.Once
	running sync.WaitGroup
	stop    chan struct{}       // closed by Close
	queue   chan chan decodedXZ // a result for each block, in order
	buffers chan []byte         // as many as there may be blocks in memory
	rest    []byte              // of the block that is being read
	whole   []byte              // that block
	holding bool                // whole came from buffers and must go back
	err     error
}

type decodedXZ struct {
	content []byte
	err     error
}

func newXZBlockReader(r io.ReaderAt, layout xzLayout, workers int) *xzBlockReader {
	x := &xzBlockReader{
		r:       r,
		layout:  layout,
		workers: min(workers, len(layout.blocks)),
		stop:    make(chan struct{}),
	}
	// One block is being read while each worker fills another.
	inMemory := x.workers + 1
	x.queue = make(chan chan decodedXZ, inMemory)
	x.buffers = make(chan []byte, inMemory)
	for range inMemory {
		x.buffers <- nil // made when first needed
	}
	return x
}

func (x *xzBlockReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, x.err
	}
	for len(x.rest) == 0 {
		if x.err != nil {
			return 0, x.err
		}
		x.start.Do(func() {
			x.running.Add(1)
			go x.handOut()
		})
		if x.holding {
			x.buffers <- x.whole // never waits: the buffer came from there
			x.holding = false
		}
		result, more := <-x.queue
		if !more {
			x.err = io.EOF
			continue
		}
		block := <-result
		if block.err != nil {
			x.err = block.err
			continue
		}
		x.holding, x.whole, x.rest = true, block.content, block.content
	}
	n := copy(p, x.rest)
	x.rest = x.rest[n:]
	return n, nil
}

// Close ends all work and waits for it.
func (x *xzBlockReader) Close() error {
	if x.err == nil || x.err == io.EOF {
		x.err = errors.New("read of a closed xz stream")
	}
	x.rest = nil
	select {
	case <-x.stop:
	default:
		close(x.stop)
	}
	x.running.Wait()
	return nil
}

func (x *xzBlockReader) handOut() {
	defer x.running.Done()
	defer close(x.queue)
	turns := make(chan struct{}, x.workers)
	for i, b := range x.layout.blocks {
		var buffer []byte
		select {
		case buffer = <-x.buffers:
		case <-x.stop:
			return
		}
		select {
		case turns <- struct{}{}:
		case <-x.stop:
			return
		}
		result := make(chan decodedXZ, 1)
		x.queue <- result // never waits: there are no more buffers than places
		x.running.Add(1)
		go func() {
			defer x.running.Done()
			content, err := x.decode(b, buffer)
			if err != nil {
				err = fmt.Errorf("xz block %d of %d: %w", i+1, len(x.layout.blocks), err)
			}
			result <- decodedXZ{content, err}
			<-turns
		}()
	}
}

func (x *xzBlockReader) decode(b xzBlock, buffer []byte) ([]byte, error) {
	stream, err := decodeXZ(x.layout.stream(x.r, b))
	if err != nil {
		return nil, err
	}
	if int64(cap(buffer)) < b.size {
		buffer = make([]byte, b.size)
	}
	buffer = buffer[:b.size]
	for done := 0; done < len(buffer); {
		select {
		case <-x.stop:
			return nil, errors.New("closed")
		default:
		}
		n, err := stream.Read(buffer[done:min(done+1<<20, len(buffer))])
		if done += n; err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
	}
	// The checksums stand behind the content.
	var one [1]byte
	switch n, err := io.ReadFull(stream, one[:]); {
	case n > 0:
		return nil, errors.New("the block is longer than the index says")
	case err != io.EOF:
		return nil, err
	}
	return buffer, nil
}
