package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"stet/internal/graph"
	"stet/internal/initrd"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/progress"
	"stet/internal/rootfs"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
)

// systemStage is the version of what system makes of the same inputs.
const systemStage = 8

// Builder builds systems without a network.
type Builder struct {
	Store    *store.Store
	Debs     Debs
	Provider rootfs.Provider
	Init     initrd.Program
	Report   progress.Func
	Observe  graph.Observer
	Patience time.Duration // see rootfs.Builder

	// Shuffle, when it is not 0, builds for comparison: in another order (see
	// rootfs.Builder), and without holding the root against the lock.
	Shuffle uint64
}

// System is a built system.
type System struct {
	Digest   string
	Root     string // the configured root, as the lock's result has it
	Manifest *system.Manifest
	Packages []lock.Package
	Bytes    int64  // of everything the system names, each object once
	Reused   bool   // nothing had to be done
	Key      string // what it is remembered by

	machine *machine.Machine
	inputs  []graph.Input
}

// systemMemo is what is remembered of a built system.
type systemMemo struct {
	Digest string `json:"digest"`
	Root   string `json:"root"`
	Bytes  int64  `json:"bytes"`
}

// StaleError says that the lock answers another question than the machine asks.
type StaleError struct{ Machine, Reason string }

// Error implements error.
func (e *StaleError) Error() string {
	return fmt.Sprintf("machine %s: %s: run \"stet lock\"", e.Machine, e.Reason)
}

// Build builds a machine from a lock. Sources is the repository.
func (b *Builder) Build(ctx context.Context, m *machine.Machine, l *lock.Lock, sources fs.FS) (*System, error) {
	packages, err := Locked(m, l)
	if err != nil {
		return nil, err
	}
	inputs, err := b.inputs(m, l, packages, sources)
	if err != nil {
		return nil, err
	}
	key := graph.Key(inputs)
	if made, ok := b.remembered(key); ok {
		b.Observe.Reuse(graph.Step{Stage: graph.System})
		made.Packages, made.Key, made.machine, made.inputs = packages, key, m, inputs
		return made, nil
	}
	layers := earlyLayers(b.Store, b.Debs, b.roots(), packages, m, l.Epoch)
	if err := unpackAll(ctx, b.Store, b.Debs, packages, layers, b.Report, b.Observe); err != nil {
		return nil, err
	}
	// What was unpacked goes to the disk while scripts keep one core busy, and is not lost
	// when they fail.
	var unpacked errgroup.Group
	unpacked.Go(b.Store.Publish)
	unpacked.Go(func() error { b.finishAhead(ctx, m, layers, l.Epoch); return nil })
	root, digest, err := b.root(ctx, m, l, packages)
	if err := errors.Join(err, unpacked.Wait()); err != nil {
		return nil, err
	}
	made, err := b.compose(ctx, system.Input{Machine: m, Rootfs: root, IDs: l.IDs, Origins: origins(m, l), Epoch: l.Epoch, Sources: sources}, digest)
	if err != nil {
		return nil, err
	}
	made.Root = digest
	memo, err := json.Marshal(systemMemo{made.Digest, made.Root, made.Bytes})
	if err != nil {
		return nil, err
	}
	b.Store.Memoise("system", key, memo)
	made.Packages, made.Key, made.machine, made.inputs = packages, key, m, inputs
	return made, b.Store.Publish()
}

// remembered gives a system that was built before of the same inputs.
func (b *Builder) remembered(key string) (*System, bool) {
	text, ok := b.Store.Memo("system", key)
	if !ok {
		return nil, false
	}
	var memo systemMemo
	if err := json.Unmarshal(text, &memo); err != nil || memo.Root == "" {
		return nil, false
	}
	manifest, err := b.readManifest(memo.Digest)
	if err != nil {
		return nil, false // it was collected, or is damaged: build it again
	}
	return &System{Digest: memo.Digest, Root: memo.Root, Manifest: manifest, Bytes: memo.Bytes, Reused: true}, true
}

func (b *Builder) readManifest(digest string) (*system.Manifest, error) {
	text, err := b.Store.System(digest)
	if err != nil {
		return nil, err
	}
	return system.ParseManifest(text)
}

// Locked gives the packages that the lock has for a machine, if it was made
// for what the machine asks.
func Locked(m *machine.Machine, l *lock.Lock) ([]lock.Package, error) {
	locked, ok := l.Machines[m.Name]
	switch {
	case !ok:
		return nil, &StaleError{m.Name, "stet.lock does not have it"}
	case locked.Wishes != wishesOf(m).digest():
		reason := cmp.Or(staleLocal(m, l, locked.Packages), "its packages are not those that stet.lock was made for")
		return nil, &StaleError{m.Name, reason}
	}
	for name := range m.Users {
		if _, ok := l.IDs.Users[name]; !ok {
			return nil, &StaleError{m.Name, "user " + name + " has no number in stet.lock"}
		}
	}
	for name := range m.Groups {
		if _, ok := l.IDs.Groups[name]; !ok {
			return nil, &StaleError{m.Name, "group " + name + " has no number in stet.lock"}
		}
	}
	return l.Select(locked.Packages), nil
}

// origins gives the archives that a machine's packages came from, and those it
// declares, which are also those of packages still to come.
func origins(m *machine.Machine, l *lock.Lock) []lock.Archive {
	used := map[string]bool{}
	for _, p := range l.Select(l.Machines[m.Name].Packages) {
		used[p.Archive] = true
	}
	declared := map[string]bool{}
	for _, suite := range slices.Concat(m.Debian.Own(), m.Debian.Further()) {
		declared[suite] = true
	}
	return slices.DeleteFunc(slices.Clone(l.Archives), func(a lock.Archive) bool {
		if a.Repository {
			_, has := m.Repositories[a.Name]
			return !has
		}
		at := ""
		if !a.Snapshot.IsZero() {
			at = a.Snapshot.UTC().Format(time.RFC3339)
		}
		return !used[a.ID] && (!declared[a.Suite] || at != m.Debian.Snapshot)
	})
}

func fileSum(sources fs.FS, name string) (string, error) {
	file, err := sources.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// roots is the builder of roots for this one's systems.
func (b *Builder) roots() rootfs.Builder {
	return rootfs.Builder{Store: b.Store, Provider: b.Provider, Report: b.Report, Observe: b.Observe, Patience: b.Patience, Shuffle: b.Shuffle}
}

// root gives the configured root with its digest, and holds it against what
// the lock proved.
func (b *Builder) root(ctx context.Context, m *machine.Machine, l *lock.Lock, packages []lock.Package) (*tree.Tree, string, error) {
	in := rootInput(b.Store, packages, m, l.Epoch)
	proven := l.Machines[m.Name].Result
	other := func(digest string) bool {
		return proven.Stage == rootfs.Stage && proven.Rootfs != digest && b.Shuffle == 0
	}
	digest, err := configured(ctx, b.roots(), in, l.IDs)
	if err == nil && other(digest) {
		// What was remembered of some packages may not be what it was where the lock
		// was made.
		whole := b.roots()
		whole.Whole = true
		digest, err = configured(ctx, whole, in, l.IDs)
	}
	if err != nil {
		return nil, "", err
	}
	if other(digest) {
		return nil, "", b.irreproducible(m.Name, proven.Rootfs, digest, packages)
	}
	made, err := b.Store.Tree(digest)
	return made, digest, err
}

// configured gives the digest of a configured root with the numbers of a ledger.
func configured(ctx context.Context, roots rootfs.Builder, in rootfs.Input, ids lock.IDs) (string, error) {
	made, err := roots.Configure(ctx, in)
	if err != nil {
		return "", err
	}
	return roots.Number(made, ids, in)
}

// compose lays the machine over its root, of which the digest is given, runs the
// finishers and the checks, and stores the trees.
func (b *Builder) compose(ctx context.Context, in system.Input, root string) (*System, error) {
	b.Report.Report(progress.Event{Stage: "compose the system"})
	composing := b.Observe.Begin(graph.Step{Stage: graph.System})
	composed, err := system.Compose(b.Store, in)
	if err != nil {
		return nil, err
	}
	composing(graph.Outcome{})
	if composed, err = b.finish(ctx, in, composed); err != nil {
		return nil, err
	}
	// A verdict changes nothing, so that images are made meanwhile.
	var judged errgroup.Group
	judged.Go(func() error { return b.check(ctx, in, root, composed) })
	manifest, size, err := b.divide(in, composed)
	if unfit := judged.Wait(); unfit != nil {
		return nil, unfit // not joined: whoever reads it takes the checks that failed out of it
	}
	if err != nil {
		return nil, err
	}
	text, err := manifest.Text()
	if err != nil {
		return nil, err
	}
	digest, err := b.Store.PutSystem(text)
	if err != nil {
		return nil, err
	}
	return &System{Digest: digest, Manifest: manifest, Bytes: size}, nil
}

// divide divides a composed machine into trees and makes their images; size is that of
// the trees' contents.
func (b *Builder) divide(in system.Input, composed *tree.Tree) (_ *system.Manifest, size int64, err error) {
	dividing := b.Observe.Begin(graph.Step{Stage: graph.System})
	trees, err := system.Split(in.Machine, composed, in.Epoch)
	if err != nil {
		return nil, 0, err
	}
	dividing(graph.Outcome{Bytes: trees.Bytes})
	init, err := b.Init.Read()
	if err != nil {
		return nil, 0, err
	}
	manifest, err := system.Make(b.Store, in.Machine, trees, init, b.Observe)
	return manifest, trees.Bytes(), err
}

// finish runs what only programs of the machine's own root can make.
func (b *Builder) finish(ctx context.Context, in system.Input, composed *tree.Tree) (*tree.Tree, error) {
	finishers, err := system.Finishers(in.Machine, in.Rootfs, composed)
	if err != nil {
		return nil, err
	}
	for _, f := range finishers {
		b.Report.Report(progress.Event{Stage: "finish", Detail: f.Name})
		outputs, err := b.finished(ctx, f, composed, in.Epoch)
		if err != nil {
			return nil, fmt.Errorf("machine %s: make the %s: %w", in.Machine.Name, f.Name, err)
		}
		if composed, err = f.Apply(composed, outputs); err != nil {
			return nil, err
		}
	}
	return composed, nil
}

// finishAhead runs what can be run before all scripts are through, on a core that they
// leave idle. It is no more than a head start: what fails will fail again where it counts.
func (b *Builder) finishAhead(ctx context.Context, m *machine.Machine, layers []*early, epoch int64) {
	if len(layers) == 0 || layers[len(layers)-1].left == nil {
		return
	}
	left := layers[len(layers)-1].left
	for _, f := range system.Ahead(m, left) {
		_, _ = b.finished(ctx, f, left, epoch)
	}
}

// finished gives what a finisher makes over a root.
func (b *Builder) finished(ctx context.Context, f system.Finisher, root *tree.Tree, epoch int64) (*tree.Tree, error) {
	key := f.Key(root, epoch)
	step := graph.Step{Stage: graph.Finish, Name: f.Name}
	if memo, ok := b.Store.Memo("finish", key); ok {
		b.Observe.Reuse(step)
		return b.Store.Tree(string(memo))
	}
	ended := b.Observe.Begin(step)
	roots := b.roots()
	after, err := roots.Run(ctx, root, f.Command, epoch)
	if err != nil {
		return nil, err
	}
	outputs, err := f.Extract(after)
	if err != nil {
		return nil, err
	}
	digest, err := b.Store.PutTree(outputs)
	if err != nil {
		return nil, err
	}
	b.Store.Memoise("finish", key, []byte(digest))
	ended(graph.Outcome{Bytes: outputs.Bytes})
	return outputs, nil
}
