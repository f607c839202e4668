package boot

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"stet/internal/verity"
)

// Wanted is a generation that is to have an entry.
type Wanted struct {
	Entry
	KernelSize, InitrdSize int64
	Counted                bool // whether the entry is, if it must be written
	Good                   bool // known to work: its entry has no counter, and gets none
}

// Request says which entries there are to be.
type Request struct {
	Wanted []Wanted
	Booted int // of this one no entry is removed, wanted or not: its counter is still to be settled
	// NoWrites leaves undone what takes room: whoever makes room asks for none.
	NoWrites bool
}

// Action is what a step does.
type Action string

// The actions.
const (
	WriteKernel Action = "write kernel"
	WriteInitrd Action = "write initrd"
	WriteEntry  Action = "write entry"
	Bless       Action = "take the counter from entry"
	RemoveEntry Action = "remove entry"
	RemoveBlob  Action = "remove"
)

// Step is one change that a reader of the ESP can see.
type Step struct {
	Action Action
	Path   string        // from the root of the ESP
	Text   []byte        // of an entry
	Digest verity.Digest // of a kernel or initrd
	Size   int64         // that it takes or gives, in bytes
	From   string        // of an entry that is blessed: its path before
}

// Plan is what is done, in this order.
type Plan struct {
	Steps []Step
	Bytes int64 // that are written
	Left  int64 // bytes that are free afterwards
}

// FullError says that the ESP has not enough room. Nothing was changed.
type FullError struct{ Needed, Available int64 }

// Missing is how many bytes it lacks.
func (e *FullError) Missing() int64 { return e.Needed - e.Available }

// Error implements error.
func (e *FullError) Error() string {
	return fmt.Sprintf("the ESP is too full: %d bytes are needed and %d can be had, %d are missing", e.Needed, e.Available, e.Missing())
}

// TakenError says that the number of a generation has an entry of another
// system: numbers are never used twice.
type TakenError struct{ Generation int }

// Error implements error.
func (e *TakenError) Error() string {
	return fmt.Sprintf("the ESP has an entry of another generation %d", e.Generation)
}

// ErrNone says that no entry that can start would be left.
var ErrNone = errors.New("no entry that can start would be left on the ESP: nothing is changed")

// Plan decides how the ESP comes to have the entries that are wanted. Entries
// that are right stay as they are; files of others are not part of it. New
// files come before anything that can still be started goes, unless only the
// room of what goes makes it possible.
func (e ESP) Plan(r Request) (Plan, error) {
	p := planner{esp: e, request: r, wanted: map[int]Wanted{}}
	for _, w := range r.Wanted {
		p.wanted[w.Generation] = w
	}
	if err := p.look(); err != nil {
		return Plan{}, err
	}
	available := e.Free + bytesOf(p.rubbish)
	needed, freed := bytesOf(p.writes), bytesOf(p.removals)
	if needed > 0 {
		needed += 2 * e.Cluster // the directories may grow
	}
	var steps []Step
	switch {
	case needed <= available:
		steps = slices.Concat(p.rubbish, p.writes, p.removals)
	case needed <= available+freed && p.stays:
		steps = slices.Concat(p.rubbish, p.removals, p.writes)
	default:
		if p.stays {
			available += freed
		}
		return Plan{}, &FullError{needed, available}
	}
	return Plan{Steps: steps, Bytes: bytesOf(p.writes), Left: available + freed - bytesOf(p.writes)}, nil
}

func bytesOf(steps []Step) (sum int64) {
	for _, s := range steps {
		sum += s.Size
	}
	return sum
}

// planner sorts what is on the ESP into what goes, comes and stays.
type planner struct {
	esp     ESP
	request Request
	wanted  map[int]Wanted

	rubbish  []Step // nothing on the ESP needs it even now
	writes   []Step
	removals []Step
	stays    bool // an entry that can start is there and is kept
	comes    bool // there will be one that can start
}

func (p *planner) look() error {
	kept := map[int]File{}
	removed := []File{}
	for number, of := range p.byGeneration() {
		keep, drop, err := p.choose(number, of)
		if err != nil {
			return err
		}
		if keep != nil {
			kept[number] = *keep
		}
		removed = append(removed, drop...)
	}
	slices.SortStableFunc(removed, func(a, b File) int { return a.Generation - b.Generation })

	now, then := maps.Clone(p.esp.Needed), maps.Clone(p.esp.Needed)
	for _, f := range p.esp.Entries {
		for name := range files(f.Text) {
			now[name] = true
			if _, is := kept[f.Generation]; is {
				then[name] = true
			}
		}
	}
	for _, w := range p.request.Wanted {
		then[KernelPath(w.Kernel)], then[InitrdPath(w.Initrd)] = true, true
	}

	for _, name := range slices.Sorted(maps.Keys(p.esp.Leftover)) {
		p.rubbish = append(p.rubbish, Step{Action: RemoveBlob, Path: name, Size: p.round(p.esp.Leftover[name])})
	}
	for _, f := range removed {
		p.removals = append(p.removals, Step{Action: RemoveEntry, Path: f.path(), Size: p.round(int64(len(f.Text)))})
	}
	for _, name := range slices.Sorted(maps.Keys(p.esp.Blobs)) {
		step := Step{Action: RemoveBlob, Path: name, Size: p.round(p.esp.Blobs[name].Size)}
		switch {
		case then[name]:
		case now[name]:
			p.removals = append(p.removals, step)
		default:
			p.rubbish = append(p.rubbish, step)
		}
	}
	p.write(kept)
	if p.request.NoWrites {
		p.writes = slices.DeleteFunc(p.writes, func(s Step) bool { return s.Action != Bless })
		p.comes = false
	}
	if len(removed) > 0 && !p.stays && !p.comes {
		return ErrNone
	}
	return nil
}

// write adds what the wanted entries lack.
func (p *planner) write(kept map[int]File) {
	coming := map[string]bool{}
	blob := func(action Action, name string, digest verity.Digest, size int64) bool {
		if there := p.esp.Blobs[name]; there.Whole && there.Size == size {
			return true
		}
		if !coming[name] {
			coming[name] = true
			p.writes = append(p.writes, Step{Action: action, Path: name, Digest: digest, Size: p.round(size)})
		}
		return false
	}
	var entries []Step
	for _, number := range slices.Sorted(maps.Keys(p.wanted)) {
		w := p.wanted[number]
		kernel := blob(WriteKernel, KernelPath(w.Kernel), w.Kernel, w.KernelSize)
		initrd := blob(WriteInitrd, InitrdPath(w.Initrd), w.Initrd, w.InitrdSize)
		text := w.Text()
		f, there := kept[number]
		p.comes = p.comes || !f.Bad()
		name := f.Name
		if !there {
			name = Name{Generation: number}
			if w.Counted && !w.Good {
				name.Counted, name.Left = true, Tries
			}
		}
		if f.Text != string(text) {
			entries = append(entries, Step{Action: WriteEntry, Path: entryPath(name), Text: text, Size: p.round(int64(len(text)))})
		} else if kernel && initrd && !f.Bad() {
			p.stays = true
		}
		if plain := (Name{Generation: number}); there && w.Good && name.Counted {
			entries = append(entries, Step{Action: Bless, From: entryPath(name), Path: entryPath(plain)})
		}
	}
	if booted, there := kept[p.request.Booted]; there {
		// It started this machine, so it can start.
		p.stays = p.stays || !booted.Bad()
	}
	p.writes = append(p.writes, entries...)
}

func (p *planner) byGeneration() map[int][]File {
	all := map[int][]File{}
	for _, f := range p.esp.Entries {
		all[f.Generation] = append(all[f.Generation], f)
	}
	return all
}

// choose picks the one entry that a generation keeps. A name with a counter and
// one without are there together after a power cut while the counter was taken
// away: which of them is right, the generation knows.
func (p *planner) choose(number int, of []File) (keep *File, drop []File, err error) {
	w, wanted := p.wanted[number]
	if !wanted && number != p.request.Booted {
		return nil, of, nil
	}
	if wanted {
		for _, f := range of {
			if system := systemOf(f.Text); system != "" && system != w.System {
				return nil, nil, &TakenError{number}
			}
		}
	}
	if !wanted {
		return &of[0], nil, nil
	}
	slices.SortFunc(of, func(a, b File) int {
		switch {
		case a.Counted != b.Counted:
			if a.Counted == w.Good {
				return 1
			}
			return -1
		default:
			return a.Left - b.Left // the one that was tried more often is the newer
		}
	})
	return &of[0], of[1:], nil
}

// round gives what a file of a size takes on the ESP.
func (p *planner) round(size int64) int64 {
	cluster := max(p.esp.Cluster, 1)
	return (size + cluster - 1) / cluster * cluster
}
