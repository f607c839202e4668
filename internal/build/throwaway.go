package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"stet/internal/catalog"
	"stet/internal/debian"
	"stet/internal/erofs"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/rootfs"
	"stet/internal/solve"
	"stet/internal/store"
	"stet/internal/unpack"
	"stet/internal/verity"
)

// throwawayStage is the version of how the packages of a throw-away system
// are chosen.
const throwawayStage = 1

// throwawayName is that of the machine that a throw-away system is.
const throwawayName = "shell"

// Throwaway says what a system of a few packages is made of.
type Throwaway struct {
	Packages     []lock.Package
	Architecture string
	Epoch        int64
}

// ThrowawayMachine gives a machine that wishes the packages, what is Essential
// and nothing else: no kernel, nothing declared. It takes them from where the
// machine like does, which may be nil.
func ThrowawayMachine(packages []string, like *machine.Machine) *machine.Machine {
	m := machine.Machine{Debian: machine.Debian{Suite: "trixie", Updates: true, Security: true, Components: []string{"main"}, Architecture: "amd64"}}
	if like != nil {
		m = *like
		m.Users, m.Groups, m.Files, m.Units, m.Sysctl, m.Persist, m.Tests = nil, nil, nil, nil, nil, nil, nil
	}
	m.Name, m.Base, m.Packages = throwawayName, machine.BaseMinimal, map[string]machine.Package{}
	for _, name := range packages {
		m.Packages[name] = machine.Package{Because: "-p"}
	}
	return &m
}

// throwawayKey covers what the choice depends on, as far as it is here: what
// the archives had when they were asked is remembered with the choice.
func throwawayKey(m *machine.Machine, l *lock.Lock) string {
	h := sha256.New()
	fmt.Fprintf(h, "stage %d\nmachine %s\n", throwawayStage, m.Digest())
	if l != nil {
		h.Write(l.Format())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// RememberedThrowaway gives what was resolved before for a machine and a lock,
// which may be nil.
func RememberedThrowaway(s *store.Store, m *machine.Machine, l *lock.Lock) (*Throwaway, bool) {
	text, ok := s.Memo("throwaway", throwawayKey(m, l))
	t := new(Throwaway)
	return t, ok && json.Unmarshal(text, t) == nil
}

func (t *Throwaway) remember(s *store.Store, m *machine.Machine, l *lock.Lock) error {
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	s.Memoise("throwaway", throwawayKey(m, l), text)
	return s.Publish()
}

// LockedThrowaway resolves within a lock, from packages that are unpacked. It
// gives nil when they are not enough. Nothing is asked of the network.
func LockedThrowaway(s *store.Store, m *machine.Machine, l *lock.Lock) (*Throwaway, error) {
	var here []lock.Package
	for _, p := range l.Packages {
		if _, ok := unpack.Remembered(s, p.SHA256); ok && !p.Synthetic {
			here = append(here, p)
		}
	}
	loaded, err := load(s, here)
	if err != nil {
		return nil, err
	}
	plain := make([]*debian.Package, len(loaded))
	byKey := map[lock.Key]lock.Package{}
	for i, p := range loaded {
		plain[i] = &p.Package
		byKey[here[i].Key()] = here[i]
	}
	solution, err := solve.Solve(solve.NewUniverse(solve.Group{Catalogs: []*catalog.Catalog{catalog.New(plain)}, Preferred: true}), wishesOf(m).request(nil))
	if err != nil {
		return nil, nil // the archives may have what is missing, or say better what is wrong
	}
	t := &Throwaway{Architecture: m.Debian.Architecture, Epoch: l.Epoch}
	for i := range solution.Packages {
		t.Packages = append(t.Packages, byKey[keyOf(&solution.Packages[i].Package)])
	}
	return t, t.remember(s, m, l)
}

// Throwaway resolves from the archives of the machine, as they are now, and
// fetches. What a lock has stays; it may be nil.
func (l *Locker) Throwaway(ctx context.Context, m *machine.Machine, old *lock.Lock) (*Throwaway, error) {
	machines := map[string]*machine.Machine{m.Name: m}
	resolved, err := l.Resolve(ctx, machines, old, Update{})
	if err != nil {
		return nil, err
	}
	next := resolved.Lock
	next.Packages, next.Tools = next.Select(next.Machines[m.Name].Packages), nil
	if err := l.Fetch(ctx, machines, next); err != nil {
		return nil, err
	}
	t := &Throwaway{Packages: next.Packages, Architecture: m.Debian.Architecture, Epoch: next.Epoch}
	return t, t.remember(l.Store, m, old)
}

// ThrowawayShell gives a root with the configured packages. All of it can be
// written, and is gone with Close.
func (b *Builder) ThrowawayShell(ctx context.Context, t *Throwaway) (*Shell, error) {
	in := rootInput(b.Store, t.Packages, &machine.Machine{Debian: machine.Debian{Architecture: t.Architecture}}, t.Epoch)
	load := in.Load
	in.Load = func() ([]*rootfs.Package, error) {
		if err := unpackAll(ctx, b.Store, b.Debs, t.Packages, nil, b.Report, b.Observe); err != nil {
			return nil, err
		}
		return load()
	}
	roots := b.roots()
	configured, err := roots.Configure(ctx, in)
	if err != nil {
		return nil, err
	}
	image, err := b.image(configured)
	if err != nil {
		return nil, err
	}
	if err := b.Store.Publish(); err != nil {
		return nil, err
	}
	s, err := b.newShell()
	if err != nil {
		return nil, err
	}
	view, err := b.Provider.View(b.Store, configured, image)
	if err == nil {
		err = s.show(view, "/", "", true)
	}
	if err != nil {
		return nil, joinClose(err, s)
	}
	return s, nil
}

func joinClose(err error, c io.Closer) error {
	if closing := c.Close(); closing != nil {
		return fmt.Errorf("%w; %w", err, closing)
	}
	return err
}

// image gives the image of a tree, and makes it once.
func (b *Builder) image(digest string) (verity.Digest, error) {
	key := fmt.Sprintf("%d-%s", throwawayStage, digest)
	if memo, ok := b.Store.Memo("image", key); ok {
		return verity.ParseDigest(string(memo))
	}
	t, err := b.Store.Tree(digest)
	if err != nil {
		return verity.Digest{}, err
	}
	image, err := b.Store.PutImage(func(w io.Writer) error { return erofs.Write(w, t) })
	if err != nil {
		return verity.Digest{}, err
	}
	b.Store.Memoise("image", key, []byte(image.String()))
	return image, nil
}
