package boot

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/durable"
	"stet/internal/fault"
	"stet/internal/verity"
)

// Open gives the content of a kernel or initrd.
type Open func(verity.Digest) (io.ReadCloser, error)

// CarryOut does what the plan says on the ESP mounted at dir. Every step is on
// the disk before the next one begins, so that whenever the power goes, an
// entry names only what is there.
func (p Plan) CarryOut(dir string, open Open) error {
	for _, step := range p.Steps {
		if err := step.carryOut(dir, open); err != nil {
			return fmt.Errorf("%s %s on the ESP: %w", step.Action, step.Path, err)
		}
	}
	return nil
}

func (s Step) carryOut(dir string, open Open) error {
	name := filepath.Join(dir, s.Path)
	switch s.Action {
	case WriteKernel, WriteInitrd:
		if err := s.writeBlob(name, open); err != nil {
			return err
		}
		if s.Action == WriteKernel {
			fault.Reach(fault.KernelPlaced)
		} else {
			fault.Reach(fault.InitrdPlaced)
		}
	case WriteEntry:
		return write(name, func(w io.Writer) error { _, err := w.Write(s.Text); return err },
			func() { fault.Reach(fault.EntryHidden) }, func() { fault.Reach(fault.EntryPlaced) })
	case Bless:
		if err := rename(filepath.Join(dir, s.From), name, 0); err != nil {
			return err
		}
		fault.Reach(fault.EntryBlessed)
	case RemoveEntry, RemoveBlob:
		if err := remove(name); err != nil {
			return err
		}
		if s.Action == RemoveEntry {
			fault.Reach(fault.EntryRemoved)
		} else {
			fault.Reach(fault.BlobRemoved)
		}
	}
	return nil
}

// writeBlob copies a content, and makes sure that it is the one.
func (s Step) writeBlob(name string, open Open) error {
	content, err := open(s.Digest)
	if err != nil {
		return err
	}
	defer content.Close()
	return write(name, func(w io.Writer) error {
		hash := verity.NewHash()
		if _, err := io.Copy(io.MultiWriter(w, hash), content); err != nil {
			return err
		}
		if have := hash.Sum(); have != s.Digest {
			return fmt.Errorf("the content that should be %s is %s: the store is damaged", s.Digest, have)
		}
		return nil
	}, nil, nil)
}

// write makes a file under a hidden name, which no boot loader reads, and gives
// it its name when it is on the disk.
func write(name string, content func(io.Writer) error, hiddenThere, there func()) (err error) {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	hidden := filepath.Join(dir, "."+filepath.Base(name))
	file, err := os.OpenFile(hidden, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = content(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(hidden))
	}
	if hiddenThere != nil {
		hiddenThere()
	}
	if err := rename(hidden, name, 0); err != nil {
		return err // the next plan takes the hidden one away
	}
	if there != nil {
		there()
	}
	return nil
}

// rename gives a file another name, of the same directory, for good; flags are
// those of renameat2(2). A directory of FAT has the size of a file and where it
// begins, too, but Linux writes them there with the file: after syncing only the
// directory, the file would be empty under its new name.
func rename(from, to string, flags uint) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return errors.Join(file.Sync(), durable.Sync(filepath.Dir(to)))
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.Sync(filepath.Dir(name))
}
