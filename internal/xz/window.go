package xz

import (
	"cmp"
	"math/bits"
	"runtime"
	"slices"
	"sync"
)

// MaxDictionary is the largest dictionary that is accepted, in bytes: that of
// xz -9.
const MaxDictionary = 64 << 20

const (
	smallWindow = 16 // log2 of the smallest window
	largeWindow = 26 // log2 of MaxDictionary

	// copyUnit is how many bytes a match is copied at a time. A copy may write
	// almost two units behind its end, so a ring has room for two more than its
	// dictionary: what is overwritten there is nothing that a match may reach.
	// The number keeps a ring a multiple of 16, on which the position bits of
	// LZMA depend.
	copyUnit   = 16
	ringSlack  = 2 * copyUnit
	maxMatch   = 273
	windowTail = maxMatch + 2*copyUnit
)

// window is the end of the decompressed content, which matches repeat: a ring
// with a tail, in which a match that begins at the ring's end goes on.
type window struct {
	buf     []byte // ring and windowTail bytes
	ring    uint64
	at      uint64 // where the next byte goes; beyond ring until wrap
	wrapped bool   // all of the ring holds content
	size    uint64 // of the dictionary: no match reaches further back
}

// windows are buffers for the next file, the largest last: as many as there are cores.
// Each would cost more to get than a small file costs to decompress.
var windows struct {
	sync.Mutex
	free [][]byte
}

const bufferExtra = ringSlack + windowTail

// takeBuffer gives a buffer for a ring of 1<<class bytes and its slack, or a larger one.
func takeBuffer(class int) []byte {
	windows.Lock()
	defer windows.Unlock()
	size := 1<<class + bufferExtra
	if last := len(windows.free) - 1; last >= 0 && cap(windows.free[last]) >= size {
		buffer := windows.free[last]
		windows.free = windows.free[:last]
		return buffer
	}
	return make([]byte, size)
}

// giveBuffer takes a buffer back; nil is none.
func giveBuffer(buffer []byte) {
	if buffer == nil {
		return
	}
	windows.Lock()
	defer windows.Unlock()
	buffer = buffer[:cap(buffer)]
	at, _ := slices.BinarySearchFunc(windows.free, cap(buffer), func(b []byte, size int) int { return cmp.Compare(cap(b), size) })
	windows.free = slices.Insert(windows.free, at, buffer)
	if len(windows.free) > runtime.GOMAXPROCS(0) {
		windows.free = slices.Delete(windows.free, 0, 1)
	}
}

// ReleaseBuffers lets go of the buffers that are kept for the next file: up to
// [MaxDictionary] for each core.
func ReleaseBuffers() {
	windows.Lock()
	defer windows.Unlock()
	windows.free = nil
}

// classOf is the class of a buffer.
func classOf(buffer []byte) int { return bits.Len(uint(cap(buffer)-bufferExtra)) - 1 }

// classFor is the smallest class of buffers that hold size bytes.
func classFor(size uint64) int { return max(smallWindow, bits.Len64(max(size, 1)-1)) }

// reset empties the window and lets it hold a dictionary of size bytes. Its
// buffer is made by reserve.
func (w *window) reset(size uint64) {
	w.restart()
	w.size = size
}

// restart forgets all content: a new dictionary begins.
func (w *window) restart() { w.at, w.wrapped = 0, false }

// reserve makes room for n more bytes, or at least as many as the dictionary
// has. A window that has not gone round yet may grow.
func (w *window) reserve(n uint64) {
	need := min(w.at+n, w.size)
	if need < w.ring || w.wrapped {
		return
	}
	class := classFor(need)
	buffer := takeBuffer(class)
	copy(buffer, w.buf[:min(w.at, uint64(len(w.buf)))])
	w.release()
	w.buf, w.ring = buffer, 1<<min(classOf(buffer), classFor(w.size))+ringSlack
}

// release gives the buffer to others.
func (w *window) release() {
	giveBuffer(w.buf)
	w.buf, w.ring = nil, 0
}

// wrap goes on at the begin of the ring when its end is reached.
func (w *window) wrap() {
	if w.at >= w.ring && w.ring > 0 {
		copy(w.buf, w.buf[w.ring:w.at])
		w.at -= w.ring
		w.wrapped = true
	}
}

// last is the byte before the next, or 0 at the begin of a dictionary.
func (w *window) last() uint64 {
	switch {
	case w.at > 0:
		return uint64(w.buf[w.at-1])
	case w.wrapped:
		return uint64(w.buf[w.ring-1])
	default:
		return 0
	}
}
