package rootfs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"stet/internal/debian"
	"stet/internal/graph"
	"stet/internal/progress"
	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// configured is a root of some packages alone: their files, and what their scripts
// made of them. The difference is what the scripts did, but for the scaffold.
type configured struct {
	members       map[string]bool // by [Package.key]
	before, after *tree.Tree
}

// has reports whether a package is configured already.
func (c *configured) has(p *Package) bool { return c != nil && c.members[p.key()] }

// without gives the packages that are not configured yet.
func (c *configured) without(packages []*Package) []*Package {
	return slices.DeleteFunc(slices.Clone(packages), c.has)
}

// layerMemo is what is remembered of a configured layer: digests of two trees.
type layerMemo struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// ConfigureLayers configures layers ahead of [Builder.Configure], which finds the
// results in the store. Each input has the packages that [Layers] gives of a
// machine's, and no others: the first, the base, is the same for nearly every machine
// of a suite, so that only the first one pays for it. It gives the root that the last one
// left, or none where nothing would be remembered.
func (b *Builder) ConfigureLayers(ctx context.Context, layers []Input) (*tree.Tree, error) {
	if b.Shuffle != 0 {
		return nil, nil
	}
	top, err := b.layers(ctx, layers)
	if top == nil || err != nil {
		return nil, err
	}
	return top.after, nil
}

// layersOf gives the inputs of the layers of a machine's packages. A shuffled build
// has no more than the base: that building twice gives the same says that nobody can
// tell what else was configured ahead.
func (b *Builder) layersOf(packages []*Package, in Input) (layers []Input) {
	candidates := make([]Candidate, len(packages))
	for i, p := range packages {
		candidates[i] = p.Candidate()
	}
	for _, layer := range Layers(candidates) {
		members := map[string]bool{}
		for _, p := range layer {
			members[p.Name+":"+p.Architecture] = true
		}
		of := in.only(func(r Ref) bool { return members[r.Name+":"+r.Architecture] })
		only := slices.DeleteFunc(slices.Clone(packages), func(p *Package) bool { return !members[p.key()] })
		of.Load = func() ([]*Package, error) { return only, nil }
		layers = append(layers, of)
		if b.Shuffle != 0 {
			break
		}
	}
	return layers
}

// layers gives the last of some layers, configured; nil if there is none.
func (b *Builder) layers(ctx context.Context, layers []Input) (top *configured, err error) {
	table, text, err := residue.Builtin()
	if err != nil {
		return nil, err
	}
	for _, in := range layers {
		in = in.only(func(Ref) bool { return true })
		key := in.key(text)
		made, ok := b.rememberedLayer(key, top == nil)
		if !ok {
			if made, err = b.makeLayer(ctx, key, top, in, table); err != nil {
				return nil, err
			}
		}
		made.members = map[string]bool{}
		for _, key := range in.keys() {
			made.members[key] = true
		}
		top = made
	}
	return top, nil
}

// only gives the input of some packages: these, and the answers to them.
func (in Input) only(is func(Ref) bool) Input {
	names := map[string]bool{}
	in.Packages = slices.DeleteFunc(slices.Clone(in.Packages), func(r Ref) bool {
		names[r.Name] = names[r.Name] || is(r)
		return !is(r)
	})
	in.Answers = in.Answers.of(func(name string) bool { return names[name] })
	return in
}

// keys are the packages by [Package.key].
func (in Input) keys() []string {
	keys := make([]string, len(in.Packages))
	for i, r := range in.Packages {
		keys[i] = r.Name + ":" + r.Architecture
	}
	return keys
}

// stageOf is what people see of a layer's scripts, and what observers are told.
func stageOf(lowest bool) (string, graph.Step) {
	if lowest {
		return stageBase, graph.Step{Stage: graph.Base}
	}
	return stageAhead, graph.Step{Stage: graph.Ahead}
}

func (b *Builder) rememberedLayer(key string, lowest bool) (*configured, bool) {
	text, ok := b.Store.Memo("layer", key)
	if !ok || b.Shuffle != 0 {
		return nil, false
	}
	var memo layerMemo
	if err := json.Unmarshal(text, &memo); err != nil {
		return nil, false
	}
	before, err := b.Store.Tree(memo.Before)
	if err != nil {
		return nil, false // it was collected, or is damaged: make it again
	}
	after, err := b.Store.Tree(memo.After)
	if err != nil {
		return nil, false
	}
	_, step := stageOf(lowest)
	b.Observe.Reuse(step)
	return &configured{before: before, after: after}, true
}

// makeLayer configures the packages of a layer that the one below does not have.
func (b *Builder) makeLayer(ctx context.Context, key string, below *configured, in Input, table *residue.Table) (*configured, error) {
	stage, step := stageOf(below == nil)
	ended := b.Observe.Begin(step)
	packages, err := in.Load()
	if err != nil {
		return nil, err
	}
	m, unconfigured, err := b.merge(ctx, packages, below, in)
	if err != nil {
		return nil, err
	}
	made := &configured{}
	if made.before, err = m.files.Tree(); err != nil {
		return nil, err
	}
	before, err := b.root(m, packages, below, in.Epoch, table)
	if err != nil {
		return nil, err
	}
	b.Report.Report(progress.Event{Stage: stage, Total: int64(unconfigured)})
	script, err := layerScript(b.Store, packages, below, in.Answers, b.Shuffle)
	if err != nil {
		return nil, err
	}
	run := scriptRun{stage: stage, script: script, packages: unconfigured, starts: startsFor(below.without(packages))}
	if made.after, err = b.runQuickly(ctx, before, run, in.Epoch); err != nil {
		return nil, err
	}
	var memo layerMemo
	if memo.Before, err = b.Store.PutTree(made.before); err != nil {
		return nil, err
	}
	if memo.After, err = b.Store.PutTree(made.after); err != nil {
		return nil, err
	}
	text, err := json.Marshal(memo)
	if err != nil {
		return nil, err
	}
	if b.Shuffle == 0 {
		b.Store.Memoise("layer", key, text)
	}
	ended(graph.Outcome{Bytes: made.after.Bytes, Result: memo.After, Of: in.keys()})
	return made, nil
}

// stanzas gives dpkg's own account of the packages, by [Package.key].
func (c *configured) stanzas(s *store.Store) (map[string]debian.Stanza, error) {
	if c == nil {
		return nil, nil
	}
	text, err := readFile(s, c.after, databaseDir+"/status")
	if err != nil {
		return nil, err
	}
	out, err := readStatus(text)
	if err != nil {
		return nil, fmt.Errorf("read dpkg's status of what is configured: %w", err)
	}
	for name := range c.members {
		if _, ok := out[name]; !ok {
			return nil, fmt.Errorf("read dpkg's status of what is configured: it lost package %s", name)
		}
	}
	return out, nil
}

// readFile gives the content of a file of a tree; nothing if there is none.
func readFile(s *store.Store, t *tree.Tree, name string) ([]byte, error) {
	e, ok := t.Lookup(name)
	if !ok || e.Type != tree.Regular || e.Size == 0 {
		return nil, nil
	}
	return s.ReadObject(e.Digest)
}
