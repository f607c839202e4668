package nbd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"

	protocol "stet/internal/nbd"
)

// Server is where a disk is plugged in. While the power is off it takes no
// connection.
type Server struct {
	socket   string
	listener net.Listener
	serving  sync.WaitGroup

	mu          sync.Mutex
	disk        *Disk // nil while the power is off
	connections map[net.Conn]bool
	closed      bool
}

// Serve serves the disk at a unix socket in the directory, until Close.
func Serve(directory string, disk *Disk) (*Server, error) {
	socket := filepath.Join(directory, "nbd")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, fmt.Errorf("serve a disk: %w", err)
	}
	s := &Server{socket: socket, listener: listener, disk: disk, connections: map[net.Conn]bool{}}
	s.serving.Go(s.accept)
	return s, nil
}

// URL is by what QEMU finds the disk.
func (s *Server) URL() string { return "nbd+unix:///?socket=" + s.socket }

// Disk is the disk that is plugged in, nil while the power is off.
func (s *Server) Disk() *Disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk
}

// PullOut cuts every connection, between two requests, and gives the disk: from
// then on nothing changes it. Whoever writes is told of an error.
func (s *Server) PullOut() *Disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	disk := s.disk
	s.disk = nil
	for c := range s.connections {
		c.Close()
	}
	return disk
}

// PlugIn serves another disk, or the same again.
func (s *Server) PlugIn(disk *Disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disk = disk
}

// Close ends the server.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.PullOut()
	err := s.listener.Close()
	s.serving.Wait()
	if removal := os.Remove(s.socket); !errors.Is(removal, os.ErrNotExist) {
		err = errors.Join(err, removal)
	}
	return err
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.disk == nil || s.closed {
			s.mu.Unlock()
			c.Close()
			continue
		}
		s.connections[c] = true
		disk := plugged{s, s.disk.Size()}
		s.mu.Unlock()
		s.serving.Go(func() {
			_ = protocol.Serve(c, disk) // whatever ends it, the guest notices
			s.mu.Lock()
			delete(s.connections, c)
			s.mu.Unlock()
		})
	}
}

// plugged is what a client sees: whatever disk is plugged in when it asks.
type plugged struct {
	server *Server
	size   int64
}

func (p plugged) Size() int64 { return p.size }

func (p plugged) ReadAt(content []byte, at int64) (n int, err error) {
	err = p.server.with(func(d *Disk) error {
		n, err = d.ReadAt(content, at)
		return err
	})
	return n, err
}

func (p plugged) Write(content []byte, at int64, force bool) error {
	return p.server.with(func(d *Disk) error { return d.Write(content, at, force) })
}

func (p plugged) Flush() error {
	return p.server.with(func(d *Disk) error { d.Flush(); return nil })
}

// with does something with the disk while it is plugged in, whole.
func (s *Server) with(do func(*Disk) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil {
		return protocol.ErrHangUp // a disk without power does not answer
	}
	return do(s.disk)
}
