package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// attempts is how often in a row a request may fail without a byte more.
const attempts = 4

// longestWait bounds what a server may ask for with Retry-After.
const longestWait = time.Minute

// temporaryError is a failure that another attempt may not meet.
type temporaryError struct {
	err   error
	after time.Duration // what the server asked to wait; zero when it did not
}

func (e *temporaryError) Error() string { return e.err.Error() }
func (e *temporaryError) Unwrap() error { return e.err }

// unreachableError is a failure before the server said anything.
type unreachableError struct{ err error }

func (e *unreachableError) Error() string { return e.err.Error() }
func (e *unreachableError) Unwrap() error { return e.err }

// content is an open file of a mirror.
type content struct {
	io.ReadCloser
	offset int64 // of its first byte in the file
}

// open asks for the file at address, from offset on. The server may begin
// earlier.
func (c *Client) open(ctx context.Context, address string, offset int64) (*content, error) {
	if strings.HasPrefix(address, "file://") {
		return openLocal(address, offset)
	}
	own, cancel := context.WithCancel(ctx)
	request, err := http.NewRequestWithContext(own, http.MethodGet, address, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set("User-Agent", "stet")
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	response, err := c.http.Do(request)
	if err != nil {
		cancel()
		return nil, requestError(ctx, err)
	}
	body := &watched{ReadCloser: response.Body, cancel: cancel, limit: c.stall}
	body.timer = time.AfterFunc(c.stall, body.expire)
	start, err := checkResponse(response, offset)
	if err != nil {
		body.Close()
		return nil, err
	}
	return &content{body, start}, nil
}

func openLocal(address string, offset int64) (*content, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(u.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, errAbsent
	case err != nil:
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errAbsent
	}
	if err == nil && offset > 0 {
		_, err = f.Seek(offset, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &content{f, offset}, nil
}

// requestError says whether a request that got no answer may be tried again.
func requestError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the URL is named by the caller
	}
	var operation *net.OpError
	var name *net.DNSError
	if errors.As(err, &name) {
		return &unreachableError{fmt.Errorf("look up %s: %s", name.Name, name.Err)}
	}
	if errors.As(err, &operation) && operation.Op == "dial" {
		return &unreachableError{err}
	}
	return &temporaryError{err: err}
}

// checkResponse gives the offset at which the body begins.
func checkResponse(r *http.Response, offset int64) (int64, error) {
	switch r.StatusCode {
	case http.StatusOK:
		return 0, nil
	case http.StatusPartialContent:
		// Content-Range: bytes FIRST-LAST/SIZE (RFC 9110 section 14.4)
		text, isBytes := strings.CutPrefix(r.Header.Get("Content-Range"), "bytes ")
		first, _, _ := strings.Cut(text, "-")
		if start, err := strconv.ParseInt(first, 10, 64); isBytes && err == nil && start == offset {
			return start, nil
		}
		return 0, &temporaryError{err: fmt.Errorf("the server sends the range %q, not that from %d on", r.Header.Get("Content-Range"), offset)}
	case http.StatusRequestedRangeNotSatisfiable:
		return 0, errRange
	case http.StatusNotFound, http.StatusGone:
		return 0, errAbsent
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, &temporaryError{err: statusError(r), after: retryAfter(r)}
	}
	return 0, statusError(r)
}

func statusError(r *http.Response) error { return fmt.Errorf("the server says %q", r.Status) }

// retryAfter reads Retry-After (RFC 9110 section 10.2.3): seconds, or a date.
func retryAfter(r *http.Response) time.Duration {
	value := r.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 && seconds < 1<<30 {
		return time.Duration(seconds) * time.Second
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, time.Until(date))
}

// watched ends a body that is silent for too long: a server that stops in the
// middle without closing would otherwise hold us for ever.
type watched struct {
	io.ReadCloser
	cancel context.CancelFunc
	limit  time.Duration
	timer  *time.Timer
}

func (w *watched) expire() { w.cancel() }

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.timer.Reset(w.limit)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel()
	return w.ReadCloser.Close()
}

// retry calls work until it succeeds, fails for good, or has failed too often
// in a row without progress.
func (c *Client) retry(ctx context.Context, work func() (progressed bool, err error)) error {
	delay := c.backoff
	for failed := 0; ; {
		progressed, err := work()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if progressed {
			failed, delay = 0, c.backoff
		}
		var unreachable *unreachableError
		if errors.As(err, &unreachable) && failed == 0 {
			// Once more: a lost packet must not end a long fetch. But
			// without a network nobody wants to wait for longer.
			failed = attempts
			if err := sleep(ctx, delay); err != nil {
				return err
			}
			continue
		}
		var temporary *temporaryError
		if !errors.As(err, &temporary) {
			return err
		}
		failed++
		if failed >= attempts {
			return fmt.Errorf("%w (tried %d times)", err, attempts)
		}
		wait := delay
		if temporary.after > 0 {
			wait = temporary.after
		}
		if wait > longestWait {
			return fmt.Errorf("%w, and asks to wait %s", err, wait.Round(time.Second))
		}
		delay *= 2
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// address is the URL of the file at path below p.
func (p place) address(path string) string {
	return p.base + "/" + (&url.URL{Path: path}).EscapedPath()
}

// get reads a small file whole.
func (c *Client) get(ctx context.Context, p place, path string, limit int64) ([]byte, error) {
	release, err := c.turn(ctx, p)
	if err != nil {
		return nil, err
	}
	defer release()
	var data []byte
	err = c.retry(ctx, func() (bool, error) {
		body, err := c.open(ctx, p.address(path), 0)
		if err != nil {
			return false, err
		}
		defer body.Close()
		data, err = io.ReadAll(io.LimitReader(body, limit+1))
		if err != nil {
			return false, &temporaryError{err: fmt.Errorf("the connection broke: %w", err)}
		}
		if int64(len(data)) > limit {
			return false, fmt.Errorf("larger than %d bytes", limit)
		}
		return true, nil
	})
	return data, c.remember(p, err)
}

// turn waits until p may be asked. The caller must call what it gives.
func (c *Client) turn(ctx context.Context, p place) (func(), error) {
	c.mu.Lock()
	err := c.down[p.base]
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if !p.snapshot {
		return func() {}, nil
	}
	select {
	case c.snapshotTurn <- struct{}{}:
		return func() { <-c.snapshotTurn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// remember keeps that p cannot be reached, so that two hundred packages do not
// wait for it one after the other. It gives err back.
func (c *Client) remember(p place, err error) error {
	var unreachable *unreachableError
	if errors.As(err, &unreachable) {
		c.mu.Lock()
		c.down[p.base] = err
		c.mu.Unlock()
	}
	return err
}
