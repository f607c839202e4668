package vm

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// reservation holds ports of 127.0.0.1 for a VM, so that nobody else gets them
// while one QEMU has ended and the next has not begun to listen.
//
// Its sockets are bound and never listen. With SO_REUSEADDR on both, Linux
// lets QEMU bind the same port and listen on it, socket(7); QEMU's user
// network sets it. The port is given to nobody who asks for any free port.
type reservation struct {
	sockets []int
}

// reserve takes the host's ports of some forwards, choosing those that are 0,
// and gives the forwards with their ports.
func reserve(wanted []Forward) (*reservation, []Forward, error) {
	r := &reservation{}
	var forwards []Forward
	for _, f := range wanted {
		port, err := r.take(f.HostPort)
		if err != nil {
			r.release()
			return nil, nil, fmt.Errorf("forward %d:%d: %w", f.HostPort, f.GuestPort, err)
		}
		forwards = append(forwards, Forward{HostPort: port, GuestPort: f.GuestPort})
	}
	return r, forwards, nil
}

func (r *reservation) take(port int) (taken int, err error) {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("make socket: %w", err)
	}
	r.sockets = append(r.sockets, socket)
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, fmt.Errorf("set SO_REUSEADDR: %w", err)
	}
	err = unix.Bind(socket, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		return 0, errors.New("the port of the host is in use")
	case errors.Is(err, unix.EACCES):
		return 0, errors.New("the port of the host is not allowed; take one of 1024 or more")
	case err != nil:
		return 0, fmt.Errorf("bind: %w", err)
	}
	address, err := unix.Getsockname(socket)
	if err != nil {
		return 0, fmt.Errorf("read the socket's port: %w", err)
	}
	inet, ok := address.(*unix.SockaddrInet4)
	if !ok {
		return 0, errors.New("the socket has no IPv4 address")
	}
	return inet.Port, nil
}

// release gives the ports back. A nil reservation has none.
func (r *reservation) release() {
	if r == nil {
		return
	}
	for _, socket := range r.sockets {
		unix.Close(socket)
	}
	r.sockets = nil
}
