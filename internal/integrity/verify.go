package integrity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"stet/internal/progress"
	"stet/internal/store"
	"stet/internal/verity"
)

// Options say how closely to look.
type Options struct {
	// Quick reads no image and no object: of what is sealed the kernel's digest
	// is compared, of the others the size.
	Quick bool
	// Seal seals what is whole and not sealed, where the file system can.
	Seal   bool
	Report progress.Func
}

// Verify looks at all of a store. That something is wrong with it is in the
// report; an error says that it could not be looked at.
func Verify(ctx context.Context, s *store.Store, o Options) (*Report, error) {
	v, err := take(s)
	if err != nil {
		return nil, fmt.Errorf("verify store %s: %w", s.Dir(), err)
	}
	c := &checker{inventory: v, Options: o, report: &Report{Files: v.records}}
	if err := c.run(ctx); err != nil {
		return nil, fmt.Errorf("verify store %s: %w", s.Dir(), err)
	}
	slices.SortFunc(v.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	if err := v.explain(); err != nil {
		return nil, fmt.Errorf("verify store %s: %w", s.Dir(), err)
	}
	c.report.Findings = append([]Finding{}, v.findings...)
	return c.report, nil
}

// checker looks at files, several at a time.
type checker struct {
	*inventory
	Options
	report *Report

	total, done atomic.Int64 // bytes
	seals       atomic.Bool
	mu          sync.Mutex
}

func (c *checker) run(ctx context.Context) error {
	var all []file
	for kind, files := range c.files {
		for digest, size := range files {
			all = append(all, file{kind, digest, size})
			c.total.Add(max(size, 0))
		}
	}
	// Neighbours on the disk are read one after the other, and two runs alike.
	slices.SortFunc(all, func(a, b file) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), a.digest.Compare(b.digest))
	})
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range all {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error { return c.look(inner, f) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	c.report.Files += len(all)
	c.report.Seals = c.seals.Load()
	c.report.Bytes = c.done.Load()
	return context.Cause(ctx)
}

// look checks one file and notes what it finds.
func (c *checker) look(ctx context.Context, f file) error {
	name := c.store.ObjectPath(f.digest)
	if f.kind == store.Images {
		name = c.store.ImagePath(f.digest)
	}
	problem, detail, err := c.check(ctx, name, f)
	c.Report.Report(progress.Event{Stage: "verify the store", Done: c.done.Load(), Total: c.total.Load(), Bytes: true})
	if err != nil || problem == "" {
		return err
	}
	relative, err := filepath.Rel(c.store.Dir(), name)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.findings = append(c.findings, Finding{Problem: problem, Kind: f.kind, Name: relative, Detail: detail, digest: f.digest.String()})
	return nil
}

func (c *checker) check(ctx context.Context, name string, f file) (problem Problem, detail string, err error) {
	opened, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Missing, "", nil
	}
	if err != nil {
		return Damaged, bare(err), nil
	}
	defer opened.Close()
	info, err := opened.Stat()
	switch {
	case err != nil:
		return Damaged, bare(err), nil
	case !info.Mode().IsRegular():
		return Damaged, "it is no file", nil
	case f.size == unknown:
		c.total.Add(info.Size())
	case info.Size() != f.size:
		return Damaged, fmt.Sprintf("it has %d bytes instead of %d", info.Size(), f.size), nil
	}

	measured, err := verity.Measure(opened)
	unsealed := errors.Is(err, unix.ENODATA)
	sealed := err == nil
	switch {
	case sealed && measured != f.digest:
		return Damaged, "it is sealed with the digest " + measured.String(), nil
	case err != nil && !unsealed && !errors.Is(err, verity.ErrUnsupported):
		return Damaged, bare(err), nil
	}
	if sealed || unsealed {
		c.seals.Store(true)
	}
	if !c.Quick {
		if err := c.read(ctx, opened, f.digest, sealed); err != nil {
			return Damaged, bare(err), context.Cause(ctx)
		}
	}
	if unsealed && c.Seal && !c.Quick {
		if err := verity.Enable(opened); err != nil {
			return "", "", err
		}
		c.mu.Lock()
		c.report.Sealed++
		c.mu.Unlock()
		unsealed = false
	}
	if unsealed {
		return Unsealed, "", nil
	}
	return "", "", nil
}

// read reads a file from the disk. Of a sealed one the kernel checks each block;
// the others are hashed.
func (c *checker) read(ctx context.Context, opened *os.File, digest verity.Digest, sealed bool) error {
	// What is in memory says nothing about the disk.
	_ = unix.Fadvise(int(opened.Fd()), 0, 0, unix.FADV_DONTNEED)
	hash := verity.NewHash()
	to := io.Writer(hash)
	if sealed {
		to = io.Discard
	}
	buffer := make([]byte, 256<<10)
	for {
		n, err := opened.Read(buffer)
		_, _ = to.Write(buffer[:n]) // neither ever fails
		c.done.Add(int64(n))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if have := hash.Sum(); !sealed && have != digest {
		return errors.New("its content has the digest " + have.String())
	}
	return nil
}

// bare is an error without the path, which is said beside it.
func bare(err error) string {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Op + ": " + path.Err.Error()
	}
	return strings.TrimSpace(err.Error())
}
