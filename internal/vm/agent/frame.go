package agent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Version is the version of the protocol. A client refuses an agent with
// another one: both sides come out of the same stet binary.
const Version = 2

const (
	// maxLine is the longest frame in bytes, newline included. A longer line
	// is garbage.
	maxLine = 256 << 10
	// chunk is how much data one frame carries at most.
	chunk = 32 << 10
	// window is how many bytes of one stream may be unacknowledged.
	window = 256 << 10
)

// The operations of a frame; docs/formats/agent.md says what each means.
const (
	opHello  = "hello"
	opExec   = "exec"
	opRead   = "read"
	opWrite  = "write"
	opWake   = "wake"
	opData   = "data"
	opEnd    = "end"
	opAck    = "ack"
	opCancel = "cancel"
	opExit   = "exit"
	opError  = "error"
)

// The streams of a request.
const (
	streamStdin  = "stdin"
	streamStdout = "stdout"
	streamStderr = "stderr"
)

// frame is one line of the protocol.
type frame struct {
	Op      string `json:"op"`
	ID      uint64 `json:"id,omitempty"`
	Session string `json:"session,omitempty"`

	// hello
	Version int `json:"version,omitempty"`

	// exec
	Argv          []string `json:"argv,omitempty"`
	Env           []string `json:"env,omitempty"`
	Directory     string   `json:"directory,omitempty"`
	TimeoutMillis int64    `json:"timeout_ms,omitempty"`

	// read and write
	Path string `json:"path,omitempty"`
	Mode uint32 `json:"mode,omitempty"`

	// wake; Data is the seed
	Clock int64 `json:"clock_ns,omitempty"`

	// data, end and ack
	Stream string `json:"stream,omitempty"`
	Data   []byte `json:"data,omitempty"`
	Bytes  int    `json:"bytes,omitempty"`

	// exit and error
	Status   int    `json:"status,omitempty"`
	Signal   string `json:"signal,omitempty"`
	TimedOut bool   `json:"timed_out,omitempty"`
	Message  string `json:"message,omitempty"`
}

// encode gives the line of a frame. The newline in front ends whatever a
// sender that died in the middle of a line left behind.
func (f *frame) encode() ([]byte, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("encode frame: %w", err)
	}
	if len(text)+1 > maxLine {
		return nil, fmt.Errorf("encode frame: %d bytes, and a frame has at most %d", len(text)+1, maxLine)
	}
	if f.Op == opHello {
		return append(append([]byte{'\n'}, text...), '\n'), nil
	}
	return append(text, '\n'), nil
}

// decode parses one line. It is strict about what would confuse a receiver
// and ignores fields it does not know.
func decode(line []byte) (*frame, error) {
	var f frame
	if err := json.Unmarshal(line, &f); err != nil {
		return nil, fmt.Errorf("decode frame: %w", err)
	}
	if f.Bytes < 0 || f.TimeoutMillis < 0 {
		return nil, errors.New("decode frame: a count is negative")
	}
	switch f.Op {
	case opHello, opExec, opRead, opWrite, opWake, opCancel, opExit, opError:
		return &f, nil
	case opData, opEnd, opAck:
		if f.Stream == streamStdin || f.Stream == streamStdout || f.Stream == streamStderr {
			return &f, nil
		}
		return nil, fmt.Errorf("decode frame: unknown stream %q", f.Stream)
	}
	return nil, fmt.Errorf("decode frame: unknown operation %q", f.Op)
}

// frameReader reads frames from a stream that may carry garbage.
type frameReader struct {
	r *bufio.Reader
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{bufio.NewReaderSize(r, maxLine)}
}

// next gives the next frame. Lines that are none are skipped: they are the
// remains of a boot that ended in the middle of a frame. The error is that of
// the stream.
func (fr *frameReader) next() (*frame, error) {
	for {
		line, err := fr.r.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) {
			line = nil
			_, err = fr.r.ReadSlice('\n')
		}
		if err != nil {
			return nil, err
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if f, err := decode(line); err == nil {
			return f, nil
		}
	}
}
