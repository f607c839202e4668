package activate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
)

// protected are mount namespaces in which /etc is read-only. A new /etc comes
// there writable, so they are opened before, and made safe at once.
type protected struct {
	etc        string
	namespaces map[string]*mount.Namespace // by name
}

func (s *switching) openProtected() (*protected, error) {
	p := &protected{s.at("etc"), map[string]*mount.Namespace{}}
	if !s.replaces("etc") {
		return p, nil
	}
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return nil, err
	}
	for _, u := range s.Plan.Protect {
		pids, err := s.Systemd.Processes(u.User, u.Name)
		if err != nil {
			p.close()
			return nil, err
		}
		for _, pid := range pids {
			name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
			if err != nil || name == own || p.namespaces[name] != nil {
				continue // it has ended, or is known
			}
			if n, err := mount.NamespaceOf("/proc", pid); err == nil {
				p.namespaces[name] = n
			}
		}
	}
	return p, nil
}

// readOnly makes /etc read-only in all of them.
func (p *protected) readOnly() error {
	var failed []error
	for _, n := range p.namespaces {
		failed = append(failed, n.Run(func() error { return mount.RemountReadOnly(p.etc) }))
	}
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("protect /etc from services that must not write to it: %w", err)
	}
	return nil
}

func (p *protected) close() {
	for _, n := range p.namespaces {
		n.Close()
	}
}

// accountsDeadline is how long somebody else may be changing accounts: as long
// as lckpwdf(3) waits.
const accountsDeadline = 15 * time.Second

// lockAccounts keeps passwd(1) and others from changing accounts, as lckpwdf(3)
// does: what they would write while /etc is replaced would be lost.
func lockAccounts(ctx context.Context, etc string) (func(), error) {
	file, err := os.OpenFile(filepath.Join(etc, ".pwd.lock"), os.O_WRONLY|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the accounts: %w", err)
	}
	deadline := time.Now().Add(accountsDeadline)
	for {
		err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
		if err == nil {
			return func() { file.Close() }, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			file.Close()
			return nil, fmt.Errorf("somebody else is changing accounts: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
