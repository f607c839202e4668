package mirrortest

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is an archive behind HTTP on loopback. Its methods may be called at
// any time; paths are relative to the archive's root.
type Server struct {
	URL string // base URL, as for --mirror

	server   *httptest.Server
	prefix   string // of all paths: "/debian/"
	mu       sync.Mutex
	files    map[string][]byte
	faults   map[string]*fault
	noRanges bool
	requests []Request
	then     map[string]func()
}

// Request is one that was received.
type Request struct {
	Path  string
	Range string // the header
}

// fault is what is wrong with one file for a number of requests.
type fault struct {
	times      int // requests left
	hangUp     int // bytes after which the connection breaks; 0 when it does not
	status     int // answered instead of the file
	retryAfter int // seconds, with status
}

// Serve starts a server that ends with the test. It may have more archives
// beside: those of the same name are other suites in the same root; the files
// of others have paths that begin with "../NAME/".
func (a *Archive) Serve(t testing.TB, beside ...*Archive) *Server {
	t.Helper()
	files := a.Files()
	for _, other := range beside {
		for name, data := range other.Files() {
			if other.Name != a.Name {
				name = "../" + other.Name + "/" + name
			}
			files[name] = data
		}
	}
	s := &Server{files: files, faults: map[string]*fault{}, prefix: "/" + a.Name + "/"}
	s.server = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.server.URL + "/" + a.Name
	t.Cleanup(s.Stop)
	return s
}

// Beside is the URL of an archive that is served beside the first.
func (s *Server) Beside(name string) string { return s.server.URL + "/" + name }

// Stop ends the server: connections are refused from now on.
func (s *Server) Stop() {
	s.server.CloseClientConnections()
	s.server.Close()
}

// Drop loses a file: 404.
func (s *Server) Drop(path string) { s.change(path, func([]byte) []byte { return nil }) }

// Truncate keeps the first n bytes of a file and serves them as the whole.
func (s *Server) Truncate(path string, n int) {
	s.change(path, func(data []byte) []byte { return data[:n] })
}

// Alter flips a bit in the middle of a file.
func (s *Server) Alter(path string) {
	s.change(path, func(data []byte) []byte {
		changed := bytes.Clone(data)
		changed[len(changed)/2] ^= 1
		return changed
	})
}

// Replace gives a file other content.
func (s *Server) Replace(path string, data []byte) {
	s.change(path, func([]byte) []byte { return data })
}

// HangUp breaks the connection after n more bytes of a file, the next so many
// times it is asked for.
func (s *Server) HangUp(path string, n, times int) { s.fail(path, &fault{times: times, hangUp: n}) }

// Refuse answers with a status, the next so many times a file is asked for.
// retryAfter is in seconds; negative leaves the header out.
func (s *Server) Refuse(path string, status, retryAfter, times int) {
	s.fail(path, &fault{times: times, status: status, retryAfter: retryAfter})
}

// Then does something once, right after a file was asked for.
func (s *Server) Then(path string, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.then = map[string]func(){path: do}
}

// WithoutRanges makes a server that sends every file from its beginning.
func (s *Server) WithoutRanges() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noRanges = true
}

// Requests lists what was asked for so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

func (s *Server) change(path string, edit func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, found := s.files[path]
	if !found {
		panic(fmt.Sprintf("mirrortest: the archive has no file %q", path))
	}
	if data = edit(data); data == nil {
		delete(s.files, path)
		return
	}
	s.files[path] = data
}

func (s *Server) has(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found := s.files[path]
	return found
}

func (s *Server) fail(path string, f *fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = f
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	path, found := strings.CutPrefix(r.URL.Path, s.prefix)
	if !found && s.has("../"+strings.TrimPrefix(path, "/")) {
		path = "../" + strings.TrimPrefix(path, "/")
	}
	s.mu.Lock()
	s.requests = append(s.requests, Request{path, r.Header.Get("Range")})
	data, found := s.files[path]
	var now fault
	if f := s.faults[path]; f != nil && f.times > 0 {
		f.times--
		now = *f
	}
	if s.noRanges {
		r.Header.Del("Range")
	}
	do := s.then[path]
	delete(s.then, path)
	s.mu.Unlock()
	if do != nil {
		defer do()
	}

	if now.status != 0 {
		if now.retryAfter >= 0 {
			w.Header().Set("Retry-After", strconv.Itoa(now.retryAfter))
		}
		http.Error(w, "as the test wants", now.status)
		return
	}
	if !found {
		http.NotFound(w, r)
		return
	}
	if now.hangUp > 0 {
		w = &breaking{w, now.hangUp}
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// breaking ends the connection after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(len(p), b.left)])
	b.left -= n
	if b.left == 0 {
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}
