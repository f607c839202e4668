package handover

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"stet/internal/store"
	"stet/internal/verity"
)

// Version is the version of the protocol.
const Version = 1

const (
	greeting   = "stet handover "
	maxLine    = 160
	maxOffer   = 64 << 10
	maxWant    = 64 << 20
	maxOutcome = 64 << 10
	wantAtOnce = 4096 // files in one message: the sender begins before the list ends
)

// FailedError is what the other end says went wrong there.
type FailedError struct {
	Message string `json:"error"`
	Remedy  string `json:"remedy,omitempty"`
}

// Error implements error.
func (e *FailedError) Error() string { return "the other end says: " + e.Message }

// Outcome is what the receiver says in the end.
type Outcome struct {
	Generation int    `json:"generation"` // 0: nothing was staged
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Repository string `json:"repository,omitempty"`
}

// conn is one end of the pipe.
type conn struct {
	r *bufio.Reader
	w *bufio.Writer
}

func newConn(r io.Reader, w io.Writer) *conn {
	return &conn{bufio.NewReaderSize(r, 1<<16), bufio.NewWriterSize(w, 1<<16)}
}

func (c *conn) greet() error {
	fmt.Fprintf(c.w, "%s%d\n", greeting, Version)
	return c.w.Flush()
}

// greeted reads the other end's greeting.
func (c *conn) greeted() error {
	line, err := c.line()
	if err != nil {
		return fmt.Errorf("the other end does not speak: %w", err)
	}
	version, ok := strings.CutPrefix(line, greeting)
	if !ok {
		return fmt.Errorf("the other end says %q: it is no stet that hands over", line)
	}
	if version != strconv.Itoa(Version) {
		return fmt.Errorf("the other end speaks version %s of the protocol, and this Stet %d: use the same Stet on both ends", version, Version)
	}
	return nil
}

// line reads a line of bounded length.
func (c *conn) line() (string, error) {
	var line []byte
	for {
		b, err := c.r.ReadByte()
		if errors.Is(err, io.EOF) && len(line) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return "", err
		}
		if b == '\n' {
			return string(line), nil
		}
		if line = append(line, b); len(line) > maxLine {
			return "", fmt.Errorf("a message begins with %q and does not end", line)
		}
	}
}

// header reads the first line of a message: its words, and the size of what
// follows.
func (c *conn) header() (words []string, size int64, err error) {
	line, err := c.line()
	if err != nil {
		return nil, 0, err
	}
	words = strings.Split(line, " ")
	size, err = strconv.ParseInt(words[len(words)-1], 10, 64)
	if err != nil || size < 0 || len(words) < 2 {
		return nil, 0, fmt.Errorf("%q is no message", line)
	}
	return words[:len(words)-1], size, nil
}

// body reads what follows a header.
func (c *conn) body(size, most int64) ([]byte, error) {
	if size > most {
		return nil, fmt.Errorf("a message of %d bytes is too large", size)
	}
	text, err := io.ReadAll(io.LimitReader(c.r, size))
	if err == nil && int64(len(text)) != size {
		err = io.ErrUnexpectedEOF
	}
	return text, err
}

// message reads one of a name; failed is the other end's error.
func (c *conn) message(most int64, names ...string) (name string, text []byte, err error) {
	words, size, err := c.header()
	if err != nil {
		return "", nil, err
	}
	if text, err = c.body(size, most); err != nil {
		return "", nil, err
	}
	if words[0] == "failed" {
		failed := &FailedError{}
		if err := json.Unmarshal(text, failed); err != nil {
			return "", nil, fmt.Errorf("the other end failed, and says %q", text)
		}
		return "", nil, failed
	}
	for _, name := range names {
		if len(words) == 1 && words[0] == name {
			return name, text, nil
		}
	}
	return "", nil, fmt.Errorf("the other end sends %q, and not %s", strings.Join(words, " "), strings.Join(names, " or "))
}

func (c *conn) say(name string, text []byte) error {
	fmt.Fprintf(c.w, "%s %d\n", name, len(text))
	_, _ = c.w.Write(text) // the first error stays until Flush
	return c.w.Flush()
}

func (c *conn) fail(err error, remedy string) error {
	text, jsonErr := json.Marshal(FailedError{err.Error(), remedy})
	return errors.Join(jsonErr, c.say("failed", text))
}

// Serve hands a system of a store over: it speaks with a receiver until that is
// done.
func Serve(r io.Reader, w io.Writer, s *store.Store, o Offer) (Outcome, error) {
	c := newConn(r, w)
	outcome, err := c.serve(s, o)
	if err == nil {
		return outcome, nil
	}
	var failed *FailedError
	if errors.As(err, &failed) {
		return outcome, failed
	}
	if c.fail(err, "") != nil {
		// The pipe broke. A receiver that gave up has said why.
		if _, _, last := c.message(maxWant, "want", "done"); errors.As(last, &failed) {
			return outcome, failed
		}
	}
	return outcome, fmt.Errorf("hand over system %.12s: %w", o.System, err)
}

func (c *conn) serve(s *store.Store, o Offer) (Outcome, error) {
	var outcome Outcome
	text, err := o.Text()
	if err != nil {
		return outcome, err
	}
	if err := errors.Join(c.greet(), c.say("offer", text)); err != nil {
		return outcome, err
	}
	if err := c.greeted(); err != nil {
		return outcome, err
	}
	for {
		name, text, err := c.message(maxWant, "want", "done")
		if err != nil {
			return outcome, err
		}
		if name == "done" {
			err := json.Unmarshal(text, &outcome)
			return outcome, err
		}
		files, err := parseWant(text)
		if err != nil {
			return outcome, err
		}
		if err := (Store{s}).Send(files, c.sendFile); err != nil {
			return outcome, err
		}
		if err := c.w.Flush(); err != nil {
			return outcome, err
		}
	}
}

func (c *conn) sendFile(of File, size int64, content io.Reader) error {
	fmt.Fprintf(c.w, "file %s %s %d\n", of.Kind, of.Digest, size)
	n, err := io.Copy(c.w, io.LimitReader(content, size))
	if err == nil && n != size {
		err = fmt.Errorf("%s/%s became shorter", of.Kind, of.Digest)
	}
	return err
}

func parseWant(text []byte) ([]File, error) {
	var files []File
	for line := range bytes.Lines(text) {
		kind, digest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		if _, err := verity.ParseDigest(digest); err != nil {
			return nil, fmt.Errorf("the other end wants %q", line)
		}
		switch k := store.Kind(kind); k {
		case store.Systems, store.Trees, store.Images, store.Objects:
			files = append(files, File{k, digest})
		default:
			return nil, fmt.Errorf("the other end wants %q", line)
		}
	}
	return files, nil
}

// Receiver is the machine's end of a pipe.
type Receiver struct {
	conn *conn
}

// Receive begins to speak with a sender, and gives what it offers.
func Receive(r io.Reader, w io.Writer) (*Receiver, Offer, error) {
	c := newConn(r, w)
	receiver := &Receiver{c}
	if err := errors.Join(c.greet(), c.greeted()); err != nil {
		return receiver, Offer{}, err
	}
	_, text, err := c.message(maxOffer, "offer")
	if err != nil {
		return receiver, Offer{}, err
	}
	o, err := ParseOffer(text)
	return receiver, o, err
}

// Send implements [Source]: it asks the sender.
func (r *Receiver) Send(files []File, take func(File, int64, io.Reader) error) error {
	for part := range slices.Chunk(files, wantAtOnce) {
		var want strings.Builder
		for _, f := range part {
			fmt.Fprintf(&want, "%s %s\n", f.Kind, f.Digest)
		}
		if err := r.conn.say("want", []byte(want.String())); err != nil {
			return err
		}
		for _, f := range part {
			if err := r.file(f, take); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Receiver) file(f File, take func(File, int64, io.Reader) error) error {
	words, size, err := r.conn.header()
	if err != nil {
		return err
	}
	if words[0] == "failed" {
		text, err := r.conn.body(size, maxOutcome)
		failed := &FailedError{}
		if err = errors.Join(err, json.Unmarshal(text, failed)); err != nil {
			return err
		}
		return failed
	}
	if len(words) != 3 || words[0] != "file" || words[1] != string(f.Kind) || words[2] != f.Digest {
		return fmt.Errorf("the other end sends %q, and not %s %s", strings.Join(words, " "), f.Kind, f.Digest)
	}
	content := &io.LimitedReader{R: r.conn.r, N: size}
	if err := take(f, size, content); err != nil {
		return err
	}
	if content.N != 0 {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// Done tells the sender that all is well.
func (r *Receiver) Done(o Outcome) error {
	text, err := json.Marshal(o)
	return errors.Join(err, r.conn.say("done", text))
}

// Fail tells the sender what went wrong.
func (r *Receiver) Fail(err error, remedy string) error { return r.conn.fail(err, remedy) }
