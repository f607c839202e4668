package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// wanted is a file named by its content.
type wanted struct {
	sha256 string
	size   int64
}

// partial is the beginning of a file, with the hash of what is there. A lock
// on it keeps other processes out.
type partial struct {
	*os.File
	path string
	sum  hash.Hash
	have int64

	longest int64 // the most it had since it was opened
}

// openPartial opens or makes the partial file at path, and waits while another
// process works on it. It gives nil when done reports that meanwhile the whole
// file came.
func openPartial(ctx context.Context, path string, done func() bool) (*partial, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil && done():
			os.Remove(path) // ours: the whole file came before we opened this one, or by its rename
			f.Close()
			return nil, nil
		case err == nil && isAt(f, path):
			p := &partial{File: f, path: path, sum: sha256.New()}
			if p.have, err = io.Copy(p.sum, f); err != nil {
				f.Close()
				return nil, err
			}
			p.longest = p.have
			return p, nil
		case err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		f.Close()
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// isAt reports whether f is still the file at path.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, there)
}

// restart forgets what is there.
func (p *partial) restart() error {
	p.sum.Reset()
	p.have = 0
	if err := p.Truncate(0); err != nil {
		return err
	}
	_, err := p.Seek(0, io.SeekStart)
	return err
}

// Write appends to the file.
func (p *partial) Write(data []byte) (int, error) {
	n, err := p.File.Write(data)
	p.sum.Write(data[:n])
	p.have += int64(n)
	if err != nil {
		return n, &writeError{err}
	}
	return n, nil
}

// writeError tells a full disk from a broken connection.
type writeError struct{ error }

func (e *writeError) Unwrap() error { return e.error }

// publish gives the verified file its name. Its bytes are on the disk before:
// after a power failure nobody looks at them again.
func (p *partial) publish(path string) error {
	if err := p.Sync(); err != nil {
		return err
	}
	return os.Rename(p.path, path)
}

// download completes p from the file at path below a place, and verifies it.
// count is called with the number of new bytes, or a negative number when
// bytes turned out to be for nothing.
func (c *Client) download(ctx context.Context, at place, path string, p *partial, want wanted, count func(int64)) error {
	release, err := c.turn(ctx, at)
	if err != nil {
		return err
	}
	defer release()
	address := at.address(path)
	foreign := p.have > 0 // bytes of an earlier run, perhaps of another mirror
	for {
		if p.have > want.size {
			count(-p.have)
			if err := p.restart(); err != nil {
				return err
			}
		}
		if p.have < want.size {
			err := c.retry(ctx, func() (bool, error) { return c.resume(ctx, address, p, want, count) })
			if err != nil {
				return c.remember(at, err)
			}
		}
		have := hex.EncodeToString(p.sum.Sum(nil))
		if p.have == want.size && have == want.sha256 {
			return nil
		}
		mismatch := &MismatchError{URL: address, WantSize: want.size, HaveSize: p.have, WantSHA256: want.sha256, HaveSHA256: have}
		count(-p.have)
		if err := p.restart(); err != nil {
			return err
		}
		if !foreign {
			return mismatch
		}
		foreign, p.longest = false, 0 // this mirror is not to blame yet
	}
}

// resume reads on until p is whole. It reports whether p is longer than it ever
// was: a server without ranges that always drops at the same byte must not
// keep us for ever.
func (c *Client) resume(ctx context.Context, address string, p *partial, want wanted, count func(int64)) (bool, error) {
	body, err := c.open(ctx, address, p.have)
	if errors.Is(err, errRange) {
		count(-p.have)
		if err := p.restart(); err != nil {
			return false, err
		}
		return false, &temporaryError{err: err}
	}
	if err != nil {
		return false, err
	}
	defer body.Close()
	if body.offset != p.have {
		count(-p.have)
		if err := p.restart(); err != nil {
			return false, err
		}
	}
	// One byte more than wanted shows a file that is too long.
	_, err = io.Copy(counted{p, count}, io.LimitReader(body, want.size-p.have+1))
	grew := p.have > p.longest
	p.longest = max(p.longest, p.have)
	var disk *writeError
	if errors.As(err, &disk) {
		return grew, &writeError{fmt.Errorf("write %s: %w", p.path, disk.error)}
	}
	if err != nil && ctx.Err() == nil {
		err = &temporaryError{err: fmt.Errorf("the connection broke after %d of %d bytes: %w", p.have, want.size, err)}
	}
	return grew, err // a file that ends early and says so is for the hash to judge
}

// close ends the work on p, and removes it unless there is something to resume.
func (p *partial) close() {
	if p.have == 0 {
		os.Remove(p.path)
	}
	p.Close() // of a file that nobody will read as whole
}

type counted struct {
	io.Writer
	count func(int64)
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.count(int64(n))
	return n, err
}
