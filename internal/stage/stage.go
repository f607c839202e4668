package stage

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"stet/internal/boot"
	"stet/internal/generation"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/verity"
)

// Machine is where systems are staged.
type Machine struct {
	Store   *store.Store
	ESP     string // where it is mounted
	Booted  int    // the generation that was booted; 0 when it is none
	Running string // digest of the system that runs; "" when it is none
	Now     func() time.Time
}

// Request is what is to start next.
type Request struct {
	System     string
	Origin     generation.Origin
	RollbackOf int
	generation.Provenance
}

// Staged says what starts next.
type Staged struct {
	generation.Record
	New     bool  // it was recorded now; else it was there, and lacked its entry at most
	Counted bool  // the boot loader gives up after some tries
	Bytes   int64 // that were written to the ESP
}

// IncompleteError says that the store lacks something of a system.
type IncompleteError struct {
	System  string
	Missing []string // paths in the store
}

// Error implements error.
func (e *IncompleteError) Error() string {
	return fmt.Sprintf("the store lacks %d files of system %.12s, the first is %s", len(e.Missing), e.System, e.Missing[0])
}

// Prepared is a system that is looked at, to be staged: reading it all takes a while
// in which something else can be done.
type Prepared struct {
	machine Machine
	system  string
	running string
	begun   sync.Once
	unlock  func() error
	reading errgroup.Group
	esp     boot.ESP
	missing []string
}

// Prepare makes sure that nobody else changes generations until Close. Running is the
// system that a live switch replaces, and "" else: what the two share is not looked at.
func (m Machine) Prepare(system, running string) (*Prepared, error) {
	unlock, err := generation.In(m.Store.Dir()).Lock()
	if err != nil {
		return nil, err
	}
	return &Prepared{machine: m, system: system, running: running, unlock: unlock}, nil
}

// Read begins to look at the system and at the ESP. Once is enough, and who does not,
// has [Machine.StagePrepared] do it.
func (p *Prepared) Read() {
	p.begun.Do(func() {
		p.reading.Go(func() (err error) { p.esp, err = boot.Read(p.machine.ESP, p.machine.Booted); return err })
		p.reading.Go(func() (err error) { p.missing, err = p.machine.Store.MissingBeside(p.system, p.running); return err })
	})
}

// Close lets others change generations.
func (p *Prepared) Close() error {
	_ = p.reading.Wait() // it is not staged, or Stage has said so
	return p.unlock()
}

// seen gives the ESP, when all of the system is in the store.
func (p *Prepared) seen() (boot.ESP, error) {
	p.Read()
	err := p.reading.Wait()
	if err == nil && len(p.missing) > 0 {
		err = &IncompleteError{p.system, p.missing}
	}
	return p.esp, err
}

// Stage makes a system the one that starts next. What was asked for before and
// is not finished, after a crash, is finished.
func (m Machine) Stage(r Request) (Staged, error) {
	p, err := m.Prepare(r.System, "")
	if err != nil {
		return Staged{}, err
	}
	defer p.Close()
	return m.StagePrepared(r, p)
}

// StagePrepared is Stage of a system that was prepared.
func (m Machine) StagePrepared(r Request, p *Prepared) (Staged, error) {
	if p.system != r.System {
		return Staged{}, fmt.Errorf("system %.12s is to be staged, and %.12s was prepared", r.System, p.system)
	}
	generations := generation.In(m.Store.Dir())
	esp, err := p.seen()
	if err != nil {
		return Staged{}, err
	}
	history, err := generations.List()
	if err != nil {
		return Staged{}, err
	}
	staged := m.next(r, history, esp)
	if staged.New {
		history.Generations = append(history.Generations, generation.Generation{Record: staged.Record})
	}
	request, err := m.Request(history, esp)
	if err != nil {
		return Staged{}, err
	}
	last := &request.Wanted[len(request.Wanted)-1]
	if last.Generation != staged.Number {
		return Staged{}, fmt.Errorf("generation %d is newer than what is staged", last.Generation)
	}
	staged.Counted = last.Counted && !last.Good
	plan, err := esp.Plan(request)
	if err != nil {
		return Staged{}, err
	}
	staged.Bytes = plan.Bytes
	if staged.New {
		if err := m.Store.NeedRoom(0, 0); err != nil {
			return Staged{}, err
		}
		if err := m.Store.Sync(); err != nil {
			return Staged{}, err
		}
		if err := generations.Add(staged.Record); err != nil {
			return Staged{}, err
		}
	}
	if err := plan.CarryOut(m.ESP, m.open); err != nil {
		if staged.New {
			err = errors.Join(err, generations.Set(staged.Number, generation.Failed, "its boot entry could not be written"))
		}
		return Staged{}, err
	}
	return staged, nil
}

// next gives the record of what is staged: the newest one, when it is that
// already.
func (m Machine) next(r Request, history generation.History, esp boot.ESP) Staged {
	newest, ok := history.Newest()
	same := newest.System == r.System && newest.RollbackOf == r.RollbackOf && newest.Commit == r.Commit && newest.Lock == r.Lock
	if ok && same && newest.Failed == "" && !esp.GivenUp()[newest.Number] && newest.Number+1 == history.Next(esp.Numbers()...) {
		return Staged{Record: newest.Record}
	}
	return Staged{New: true, Record: generation.Record{
		Number: history.Next(esp.Numbers()...), System: r.System, Date: m.Now().UTC().Truncate(time.Second),
		Origin: r.Origin, RollbackOf: r.RollbackOf, Provenance: r.Provenance,
	}}
}

// Request gives the entries that the generations of a machine want: every one
// that did not fail.
func (m Machine) Request(history generation.History, esp boot.ESP) (boot.Request, error) {
	r := boot.Request{Booted: m.Booted}
	running := m.manifest(m.Running)
	for _, g := range history.Generations {
		if g.Failed != "" && g.Number != m.Booted {
			continue
		}
		w, err := m.wanted(g, running, history.Proven(g.System))
		if err != nil {
			if newest, _ := history.Newest(); newest.Number == g.Number {
				return r, err
			}
			continue // it cannot be started; what it keeps from others is not worth it
		}
		r.Wanted = append(r.Wanted, w)
	}
	return r, nil
}

// wanted is the entry of one generation.
func (m Machine) wanted(g generation.Generation, running *system.Manifest, proven bool) (boot.Wanted, error) {
	manifest, err := m.read(g.System)
	if err != nil {
		return boot.Wanted{}, err
	}
	w := boot.Wanted{
		Entry: boot.Entry{
			Machine: manifest.Machine, Generation: g.Number, System: g.System,
			Kernel: manifest.Kernel, Initrd: manifest.Initrd, CommandLine: manifest.CommandLine,
		},
		Good:    g.Good,
		Counted: !proven || running == nil || startsUnlike(running, manifest),
	}
	for _, of := range []struct {
		digest verity.Digest
		size   *int64
	}{{manifest.Kernel, &w.KernelSize}, {manifest.Initrd, &w.InitrdSize}} {
		if *of.size, err = m.Store.Size(store.Objects, of.digest.String()); err != nil {
			return w, err
		}
	}
	return w, nil
}

// startsUnlike reports whether a system starts by other means than the one that
// runs.
func startsUnlike(a, b *system.Manifest) bool {
	return a.Kernel != b.Kernel || a.Initrd != b.Initrd || a.CommandLine != b.CommandLine
}

func (m Machine) read(digest string) (*system.Manifest, error) {
	text, err := m.Store.System(digest)
	if err != nil {
		return nil, err
	}
	return system.ParseManifest(text)
}

// manifest gives that of the running system; nil when it cannot be read.
func (m Machine) manifest(digest string) *system.Manifest {
	if digest == "" {
		return nil
	}
	manifest, err := m.read(digest)
	if err != nil {
		return nil
	}
	return manifest
}

func (m Machine) open(d verity.Digest) (io.ReadCloser, error) { return m.Store.OpenObject(d) }
