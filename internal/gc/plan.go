package gc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"stet/internal/boot"
	"stet/internal/census"
	"stet/internal/generation"
	"stet/internal/stage"
	"stet/internal/store"
	"stet/internal/verity"
)

// Machine is what is collected.
type Machine struct {
	stage.Machine
	Standing generation.Standing
	Use      Use
	Tried    []string // the system that is tried, and the one that is gone back to
}

// Plan is what goes.
type Plan struct {
	Generations []int
	Damaged     []int          // among them
	Protected   map[int]string // generations that stay whatever the policy says, with the reason
	Aged        []Aged         // of a build host
	Uppers      []int          // of /etc
	Boot        boot.Plan      // of the ESP
	Store       map[store.Kind]store.Swept
	Free        int64 // bytes that are free in the store afterwards, about

	census *census.Census
}

// Bytes is what goes from the store.
func (p *Plan) Bytes() (sum int64) {
	for _, swept := range p.Store {
		sum += swept.Bytes
	}
	for _, a := range p.Aged {
		sum += a.Size
	}
	return sum
}

// UnknownError says that what a generation needs cannot be told, so that nothing
// can be let go.
type UnknownError struct {
	What string
	Err  error
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("what %s needs cannot be told: %v", e.What, e.Err)
}

// Unwrap gives the reason.
func (e *UnknownError) Unwrap() error { return e.Err }

// Plan decides what goes. The store must be this process's alone.
func (m Machine) Plan(ctx context.Context, policy Policy) (*Plan, error) {
	history, err := generation.In(m.Store.Dir()).List()
	if err != nil {
		return nil, err
	}
	p := &Plan{Store: map[store.Kind]store.Swept{}}
	if p.Damaged, err = m.damaged(policy, history); err != nil {
		return nil, err
	}
	used, unrecorded, err := m.living(history)
	if err != nil {
		return nil, err
	}
	p.Protected = Protected(history, m.Standing, used)
	if p.Aged, err = aged(m.Store.Dir(), policy); err != nil {
		return nil, err
	}
	if p.Uppers, err = m.uppers(policy); err != nil {
		return nil, err
	}

	claims := make([]census.Claim, len(history.Generations), len(history.Generations)+3)
	owners := make([]string, len(history.Generations))
	for i, g := range history.Generations {
		claims[i] = Claim(g)
		owners[i] = fmt.Sprintf("generation %d", g.Number)
	}
	builds, err := remembered(m.Store.Dir(), p.Aged)
	if err != nil {
		return nil, err
	}
	claims = append(claims, census.Claim{Systems: unrecorded}, census.Claim{Systems: m.Tried}, builds)
	if p.census, err = census.Take(ctx, m.Store, claims); err != nil {
		return nil, err
	}
	states, err := booted(m.Store.Dir(), policy, p.holds(store.Systems))
	if err != nil {
		return nil, err
	}
	p.Aged = append(p.Aged, states...)
	if err := p.choose(m, policy, history); err != nil {
		return nil, err
	}
	for i, owner := range append(owners, "a living process", "a try") {
		gone := i < len(history.Generations) && slices.Contains(p.Generations, history.Generations[i].Number)
		if err := p.census.Errs[i]; err != nil && !gone {
			return nil, &UnknownError{owner, err}
		}
	}
	p.Generations = append(p.Generations, p.Damaged...)
	slices.Sort(p.Generations)
	return p, m.planESP(p, history)
}

// Claim is what a generation keeps.
func Claim(g generation.Generation) census.Claim {
	return census.Claim{Systems: []string{g.System}, Objects: []verity.Digest{g.Bundle, g.SourceMap}}
}

// damaged are the generations that cannot be read and go. While one of them
// stays, nothing can go.
func (m Machine) damaged(policy Policy, history generation.History) (numbers []int, err error) {
	for _, d := range history.Damaged {
		if !policy.Damaged || d.Number == m.Standing.Booted || d.Number == m.Standing.Running {
			return nil, &UnknownError{fmt.Sprintf("generation %d", d.Number), d.Err}
		}
		if d.Number+1 == history.Next() {
			return nil, &UnknownError{fmt.Sprintf("generation %d, the newest, whose number must not be used twice,", d.Number), d.Err}
		}
		numbers = append(numbers, d.Number)
	}
	return numbers, nil
}

// choose picks generations until there is enough room, and sums up the rest.
func (p *Plan) choose(m Machine, policy Policy, history generation.History) error {
	free, err := freeBytes(m.Store.Dir())
	if err != nil {
		return err
	}
	for _, a := range p.Aged {
		free += a.Size
	}
	if err := p.sum(m.Store); err != nil {
		return err
	}
	for _, swept := range p.Store {
		free += swept.Bytes
	}
	for _, number := range policy.candidates(history, p.Protected) {
		if policy.Free > 0 && free >= policy.Free {
			break
		}
		i := slices.IndexFunc(history.Generations, func(g generation.Generation) bool { return g.Number == number })
		free += p.census.Drop(i)
		p.Generations = append(p.Generations, number)
	}
	p.Free = free
	return p.sum(m.Store)
}

// sum counts what of the store nobody needs.
func (p *Plan) sum(s *store.Store) error {
	for _, k := range order {
		swept, err := s.Sweep(k, p.holds(k), true)
		if err != nil {
			return err
		}
		p.Store[k] = swept
	}
	return nil
}

// order is that of deleting: what names others goes before them.
var order = []store.Kind{store.Systems, store.Images, store.Trees, store.Objects}

func (p *Plan) holds(k store.Kind) func(string) bool {
	return func(digest string) bool { return p.census.Needed(k, digest) }
}

func freeBytes(dir string) (int64, error) {
	var space unix.Statfs_t
	if err := unix.Statfs(dir, &space); err != nil {
		return 0, fmt.Errorf("see what room is in %s: %w", dir, err)
	}
	return int64(space.Bavail) * space.Bsize, nil
}

// planESP decides what goes from the ESP.
func (m Machine) planESP(p *Plan, history generation.History) error {
	if m.ESP == "" {
		return nil
	}
	esp, err := boot.Read(m.ESP, m.Standing.Booted)
	if err != nil {
		return err
	}
	history.Generations = slices.DeleteFunc(slices.Clone(history.Generations), func(g generation.Generation) bool {
		return slices.Contains(p.Generations, g.Number)
	})
	request, err := m.Request(history, esp)
	if err != nil {
		return err
	}
	request.NoWrites = true
	p.Boot, err = esp.Plan(request)
	return err
}

// CarryOut lets go. Entries go before the generations that they start, and those
// before what they need.
func (p *Plan) CarryOut(m Machine) error {
	generations := generation.In(m.Store.Dir())
	if m.ESP != "" {
		if err := p.Boot.CarryOut(m.ESP, func(verity.Digest) (io.ReadCloser, error) { return nil, errors.ErrUnsupported }); err != nil {
			return err
		}
	}
	for _, number := range p.Generations {
		if err := generations.Remove(number); err != nil {
			return err
		}
	}
	if err := removeAged(m.Store.Dir(), p.Aged); err != nil {
		return err
	}
	if err := m.removeUppers(p.Uppers); err != nil {
		return err
	}
	for _, k := range order {
		if err := m.Store.Sync(); err != nil {
			return err
		}
		swept, err := m.Store.Sweep(k, p.holds(k), false)
		if err != nil {
			return err
		}
		p.Store[k] = swept
	}
	return m.Store.Sync()
}

// Reasons lists the protected generations by number.
func (p *Plan) Reasons() []int { return slices.Sorted(maps.Keys(p.Protected)) }
