package rootfs

import (
	"encoding/json"
	"path"
	"slices"

	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// A predecessor is a root of all but a few of a machine's packages that was configured
// before one was added. It is a layer like those of [Layers]: where no script of its
// packages could have noticed the ones that come now (see [unnoticed]), only these are
// configured, and nobody can tell.
type predecessor struct {
	Key      string   `json:"key"`      // of its [Input]
	Packages []string `json:"packages"` // by [Package.key]
	layerMemo
}

// maxPredecessors is how many roots of one epoch are remembered so: the machines of a
// repository share one.
const maxPredecessors = 16

// newShare says of how many packages at most one may be new: with more, it is better to
// begin while they are unpacked.
const newShare = 4

// predecessors gives what is remembered, the newest first, and under which key.
func (b *Builder) predecessors(in Input, table []byte) (all []predecessor, key string) {
	key = in.only(func(Ref) bool { return false }).key(table)
	text, ok := b.Store.Memo("predecessors", key)
	if !ok || json.Unmarshal(text, &all) != nil {
		return nil, key
	}
	return all, key
}

// nearest gives the predecessor that has most of an input's packages; nil if there is
// none that is worth it.
func (b *Builder) nearest(in Input, table []byte) (nearest *predecessor) {
	if b.Shuffle != 0 || b.Whole {
		return nil
	}
	all, _ := b.predecessors(in, table)
	for i := range all {
		p := &all[i]
		of := in.only(memberOf(p.Packages))
		switch {
		case nearest != nil && len(p.Packages) <= len(nearest.Packages):
		case len(p.Packages) != len(of.Packages) || p.Key != of.key(table): // others, or other answers
		case (len(in.Packages)-len(of.Packages))*newShare > len(in.Packages):
		default:
			nearest = p
		}
	}
	return nearest
}

// HasPredecessor reports whether most of an input's packages are configured already, so
// that it is not worth while to begin with some of them.
func (b *Builder) HasPredecessor(in Input) bool {
	_, text, err := residue.Builtin()
	return err == nil && b.nearest(in, text) != nil
}

func memberOf(keys []string) func(Ref) bool {
	members := map[string]bool{}
	for _, key := range keys {
		members[key] = true
	}
	return func(r Ref) bool { return members[r.Name+":"+r.Architecture] }
}

// load reads a predecessor's trees. One that was collected, or is damaged, is none.
func (p *predecessor) load(s *store.Store) *configured {
	if p == nil {
		return nil
	}
	before, err := s.Tree(p.Before)
	if err != nil {
		return nil
	}
	after, err := s.Tree(p.After)
	if err != nil {
		return nil
	}
	made := &configured{members: map[string]bool{}, before: before, after: after}
	for _, key := range p.Packages {
		made.members[key] = true
	}
	return made
}

// remember keeps a configured root for those that will have more packages.
func (b *Builder) remember(made *configured, in Input, table []byte) error {
	if b.Shuffle != 0 {
		return nil
	}
	made, err := made.changed(b.Store)
	if err != nil {
		return err
	}
	p := predecessor{Key: in.key(table), Packages: in.keys()}
	if p.Before, err = b.Store.PutTree(made.before); err != nil {
		return err
	}
	if p.After, err = b.Store.PutTree(made.after); err != nil {
		return err
	}
	all, key := b.predecessors(in, table)
	all = slices.DeleteFunc(all, func(other predecessor) bool { return other.Key == p.Key })
	all = append([]predecessor{p}, all...)
	text, err := json.Marshal(all[:min(len(all), maxPredecessors)])
	if err == nil {
		b.Store.Memoise("predecessors", key, text)
	}
	return err
}

// laidFiles are the files that whoever lays packages over a root reads, changed or not.
var laidFiles = []string{
	databaseDir + "/status", databaseDir + "/diversions", databaseDir + "/statoverride",
	"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow",
}

// changed gives the same of both trees without what is neither changed nor asked for: a
// tenth of the packages' files.
func (c *configured) changed(s *store.Store) (*configured, error) {
	before, after := tree.NewBuilder(), tree.NewBuilder()
	put := func(name string) {
		for ; ; name = path.Dir(name) {
			if e, ok := c.before.Lookup(name); ok {
				before.Put(*e)
			}
			if e, ok := c.after.Lookup(name); ok {
				after.Put(*e)
			}
			if name == "/" {
				return
			}
		}
	}
	put("/")
	for change := range tree.Diff(c.before, c.after) {
		put(change.Path())
	}
	names := slices.Clone(laidFiles)
	overridden, err := readOverrides(s, c.after)
	if err != nil {
		return nil, err
	}
	for _, o := range overridden {
		names = append(names, o.path)
	}
	for _, name := range names {
		put(name)
	}
	out := &configured{members: c.members}
	if out.before, err = before.Tree(); err == nil {
		out.after, err = after.Tree()
	}
	return out, err
}
