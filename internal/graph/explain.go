package graph

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// State is what became of a node.
type State string

// The states.
const (
	Reused State = "reused" // nothing was done
	Made   State = "made"
	Same   State = "same" // it was done again, and gave what the build before gave
)

// Why a node was done again though no input of it changed.
const (
	// Unrecorded: nothing is known of a build before.
	Unrecorded = "unrecorded"
	// Forgotten: what it gave is not in the store any more.
	Forgotten = "forgotten"
	// Absent: no disk of the system and its commit was there that nobody had touched.
	Absent = "absent"
)

// Node is a step of the graph, explained.
type Node struct {
	Stage   Stage    `json:"stage"`
	Name    string   `json:"name,omitempty"`
	Needs   []Stage  `json:"needs"` // the stages that it takes from
	State   State    `json:"state"`
	Changes []Change `json:"changes,omitempty"` // what made it be done
	Reason  string   `json:"reason,omitempty"`  // where no change did
	Note    string   `json:"note,omitempty"`    // what was done otherwise than people may expect, and why
	Seconds float64  `json:"seconds"`
	Bytes   int64    `json:"bytes,omitempty"` // of what it gave, when known
}

// Unit is something that a build has, whether or not it was made now: a package,
// an image.
type Unit struct {
	Step
	Bytes  int64
	Result string
}

// Facts are what a build is explained by.
type Facts struct {
	Spans []Span
	Units []Unit // all that the machine has of the stages that know it
	Now   []Input
	Last  *Record // nil when there is none
}

// row says of a stage what it takes from, and which inputs it sees.
type row struct {
	stage   Stage
	needs   []Stage
	sees    func(Change) bool
	certain bool // every machine has one such step, without a name
}

var rows = []row{
	{Import, nil, nil, false},
	{Base, []Stage{Import}, seenByScripts, true},
	{Ahead, []Stage{Import, Base}, seenByScripts, false},
	{Merge, []Stage{Import, Base, Ahead}, seenByScripts, true},
	{Configure, []Stage{Merge}, seenByScripts, true},
	{Number, []Stage{Configure}, seenByNumbers, true},
	{System, []Stage{Number}, seenBySystem, true},
	{Finish, []Stage{System}, seenBySystem, false},
	{Check, []Stage{Finish}, seenBySystem, false},
	{Image, []Stage{Finish}, seenBySystem, false},
	{Initrd, []Stage{Finish}, seenBySystem, true},
	{Disk, []Stage{Image, Initrd}, seenBySystem, false},
}

// The names of the inputs of the kind [Version].
const (
	UnpackVersion = "unpack"
	RootsVersion  = "rootfs"
	SystemVersion = "system"
)

// scriptOptions begin the names of the options that scripts see.
var scriptOptions = []string{"debian.architecture", "debconf."}

func seenByScripts(c Change) bool {
	switch c.Kind {
	case Version:
		return c.Name == RootsVersion
	case Residue, Epoch, Package:
		return true
	case Option:
		return slices.ContainsFunc(scriptOptions, func(begin string) bool { return strings.HasPrefix(c.Name, begin) })
	}
	return false
}

func seenByNumbers(c Change) bool {
	return c.Kind == User || c.Kind == Group || seenByScripts(c)
}

func seenBySystem(Change) bool { return true }

// Explain gives the nodes of a build in the order in which data passes them.
func Explain(f Facts) []Node {
	e := explainer{Facts: f, of: map[Step][]Span{}, packages: map[string]bool{}}
	for _, in := range f.Now {
		if in.Kind == Package {
			e.packages[in.Name] = true
		}
	}
	for _, s := range f.Spans {
		if _, ok := e.of[s.Step]; !ok {
			e.steps = append(e.steps, s.Step)
		}
		e.of[s.Step] = append(e.of[s.Step], s)
	}
	if f.Last != nil {
		e.changes = Compare(f.Last.Inputs, f.Now)
	}
	var nodes []Node
	for _, r := range rows {
		for _, u := range e.units(r) {
			nodes = append(nodes, e.node(r, u))
		}
	}
	return nodes
}

type explainer struct {
	Facts
	packages map[string]bool // of the machine
	steps    []Step          // that were heard of
	of       map[Step][]Span
	changes  []Change
}

// units are the steps of a stage: those that the machine has, and those that
// were heard of beside them.
func (e *explainer) units(r row) []Unit {
	var all []Unit
	known := map[Step]bool{}
	add := func(u Unit) {
		if u.Stage == r.stage && !known[u.Step] {
			known[u.Step] = true
			all = append(all, u)
		}
	}
	for _, u := range e.Units {
		add(u)
	}
	for _, s := range e.steps {
		add(Unit{Step: s})
	}
	if r.certain {
		add(Unit{Step: Step{Stage: r.stage}})
	}
	slices.SortStableFunc(all, func(a, b Unit) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func (e *explainer) node(r row, u Unit) Node {
	n := Node{Stage: r.stage, Name: u.Name, Needs: append([]Stage{}, r.needs...), State: Reused, Bytes: u.Bytes}
	result := u.Result
	var of []string
	var took time.Duration
	for _, s := range e.of[u.Step] {
		if s.Reused {
			continue
		}
		n.State = Made
		took += s.End - s.Begin
		n.Bytes, result = cmp.Or(s.Bytes, n.Bytes), cmp.Or(s.Result, result)
		of = append(of, s.Of...)
		n.Note = cmp.Or(s.Note, n.Note)
	}
	n.Seconds = took.Seconds()
	if n.State == Reused {
		return n
	}
	if e.Last != nil && result != "" && e.Last.Results[u.String()] == result {
		n.State = Same
	}
	switch changes := e.seen(r, u, of); {
	case e.Last == nil, r.stage == Import && !e.packages[u.Name]: // of tools nothing is recorded
		n.Reason = Unrecorded
	case len(changes) > 0:
		n.Changes = changes
	case r.stage == Disk:
		n.Reason = Absent
	default:
		n.Reason = Forgotten
	}
	return n
}

// seen gives the changes that a step sees.
func (e *explainer) seen(r row, u Unit, of []string) []Change {
	var all []Change
	for _, c := range e.changes {
		switch {
		case r.stage == Import:
			if c.Kind == Version && c.Name == UnpackVersion || c.Kind == Package && c.Name == u.Name {
				all = append(all, c)
			}
		case r.sees(c) && (len(of) == 0 || concerns(c, of)):
			all = append(all, c)
		}
	}
	return all
}

// concerns tells what has to do with some packages from what has to do with
// others only. Whether a package that is gone was one of them nobody knows.
func concerns(c Change, packages []string) bool {
	switch c.Kind {
	case Package:
		return c.Change == Removed || slices.Contains(packages, c.Name)
	case Option:
		answers, ok := strings.CutPrefix(c.Name, "debconf.")
		return !ok || slices.ContainsFunc(packages, func(name string) bool {
			name, _, _ = strings.Cut(name, ":")
			return answers == name || strings.HasPrefix(answers, name+".")
		})
	}
	return true
}
