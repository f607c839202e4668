package xz

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"sync"
)

// blockReader decompresses the blocks of one xz stream side by side and gives
// their bytes in order. One goroutine hands out the blocks, each of which is
// decompressed by a goroutine of its own; all of them end before Close returns.
type blockReader struct {
	r       io.ReaderAt
	layout  layout
	workers int

	start   sync.Once
	running sync.WaitGroup
	stop    chan struct{}     // closed by Close
	queue   chan chan decoded // a result for each block, in order
	buffers chan []byte       // as many as there may be blocks in memory
	rest    []byte            // of the block that is being read
	whole   []byte            // that block
	holding bool              // whole came from buffers and must go back
	err     error
}

type decoded struct {
	content []byte
	err     error
}

func newBlockReader(r io.ReaderAt, layout layout, workers int) *blockReader {
	x := &blockReader{
		r:       r,
		layout:  layout,
		workers: min(workers, len(layout.blocks)),
		stop:    make(chan struct{}),
	}
	// One block is being read while each worker fills another.
	inMemory := x.workers + 1
	x.queue = make(chan chan decoded, inMemory)
	x.buffers = make(chan []byte, inMemory)
	for range inMemory {
		x.buffers <- nil // made when first needed
	}
	return x
}

func (x *blockReader) Read(p []byte) (int, error) {
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
func (x *blockReader) Close() error {
	if x.err == nil || x.err == io.EOF {
		x.err = errClosed
	}
	x.rest = nil
	select {
	case <-x.stop:
	default:
		close(x.stop)
	}
	x.running.Wait()
	// What nobody read is left to the garbage collector.
	if x.holding {
		giveBuffer(x.whole)
		x.holding = false
	}
	for len(x.buffers) > 0 {
		giveBuffer(<-x.buffers)
	}
	return nil
}

func (x *blockReader) handOut() {
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
		result := make(chan decoded, 1)
		x.queue <- result // never waits: there are no more buffers than places
		x.running.Add(1)
		go func() {
			defer x.running.Done()
			content, err := x.decode(b, buffer)
			if err != nil {
				err = fmt.Errorf("xz block %d of %d: %w", i+1, len(x.layout.blocks), err)
			}
			result <- decoded{content, err}
			<-turns
		}()
	}
}

// decode decompresses a block into buffer, or a larger one in its place.
func (x *blockReader) decode(want indexed, buffer []byte) ([]byte, error) {
	if int64(cap(buffer)) < want.size {
		giveBuffer(buffer)
		buffer = takeBuffer(classFor(uint64(want.size)))
	}
	buffer = buffer[:0]
	section := io.NewSectionReader(x.r, want.offset, roundUp4(want.unpadded))
	src := &source{r: bufio.NewReaderSize(section, readSize)}
	var first [1]byte
	if err := src.full(first[:]); err != nil {
		return buffer, err
	}
	if first[0] == 0 {
		return buffer, errors.New("xz: the index has a block where there is none")
	}
	b, err := newBlock(src, first[0], x.layout.kind)
	if err != nil {
		return buffer, err
	}
	defer b.close()
	for {
		select {
		case <-x.stop:
			return buffer, errClosed
		default:
		}
		p, err := b.next()
		if int64(len(buffer)+len(p)) > want.size {
			return buffer, errIndexSizes
		}
		buffer = append(buffer, p...)
		if err == io.EOF {
			break
		} else if err != nil {
			return buffer, err
		}
	}
	if b.record != want.record {
		return buffer, errIndexSizes
	}
	return buffer, nil
}
