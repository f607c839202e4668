package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"stet/internal/debian"
	"stet/internal/lock"
	"stet/internal/machine"
)

// LocalError says that a local .deb is not, or no longer, what the lock says.
type LocalError struct {
	Package lock.Package
	Missing bool
}

// Problem says what is wrong, without the remedy.
func (e *LocalError) Problem() string {
	if e.Missing {
		return fmt.Sprintf("the local package %s is gone: stet.lock has it as %s %s", e.Package.Path, e.Package.Name, e.Package.Version)
	}
	return fmt.Sprintf("the local package %s is not the file that stet.lock was made for", e.Package.Path)
}

// Error implements error.
func (e *LocalError) Error() string { return e.Problem() + ": run \"stet lock\"" }

// OpenLocal opens a local .deb below the directory of the configuration, and
// nothing outside of it.
func OpenLocal(repository string, p lock.Package) (*os.File, error) {
	f, err := os.OpenInRoot(repository, p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &LocalError{Package: p, Missing: true}
	}
	if err != nil {
		return nil, fmt.Errorf("open local package %s: %w", p.Name, err)
	}
	return f, nil
}

// local reads the relations of a local .deb.
func (r *resolver) local(of *machine.Local) (*debian.Package, error) {
	f, err := os.OpenInRoot(r.locker.Repository, of.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	deb, err := debian.OpenDeb(f, of.Size)
	if err != nil {
		return nil, err
	}
	control, err := deb.Control()
	if err != nil {
		return nil, err
	}
	p, err := control.Package()
	if err != nil {
		return nil, err
	}
	p.Filename, p.Size, p.SHA256 = of.Path, of.Size, of.SHA256
	r.locals[placeOf(&p)] = true
	return &p, nil
}

// staleLocal names a local package whose file is not the locked one.
func staleLocal(m *machine.Machine, l *lock.Lock, packages []lock.Key) string {
	files := map[string]string{}
	for _, wish := range m.Packages {
		if wish.Local != nil {
			files[wish.Local.Path] = wish.Local.SHA256
		}
	}
	if len(files) == 0 {
		return ""
	}
	for _, p := range l.Select(packages) {
		if sum, declared := files[p.Path]; p.Local && declared && sum != p.SHA256 {
			return p.Path + " is not the file that stet.lock was made for"
		}
	}
	return ""
}
