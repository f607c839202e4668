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
	"stet/internal/solve"
	"stet/internal/store"
	"stet/internal/tree"
)

// Base gives the members of a set that are configured before any script of
// the others runs: the essential and required packages, with what they depend
// on. Debian Policy 6.5 lets every preinst rely on them.
func Base(packages []debian.Package) []debian.Package {
	return solve.Closure(packages, func(p *debian.Package) bool { return p.Essential || p.Priority == "required" })
}

// configuredBase is a root of base packages alone, before and after their
// scripts ran. The difference is what the scripts did.
type configuredBase struct {
	members       map[string]bool // by [Package.key]
	before, after *tree.Tree
}

// has reports whether a package is configured already.
func (c *configuredBase) has(p *Package) bool { return c != nil && c.members[p.key()] }

// baseMemo is what is remembered of a configured base: digests of two trees.
type baseMemo struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

// ConfigureBase configures base packages ahead of [Builder.Configure], which
// finds the result in the store. The input has the packages that [Base] gives
// of a machine's, and no others: it is the same for nearly every machine of a
// suite, so that only the first one pays for it.
func (b *Builder) ConfigureBase(ctx context.Context, in Input) error {
	if b.Shuffle != 0 {
		return nil // nothing would remember it
	}
	_, tableText, err := residue.Builtin()
	if err != nil {
		return err
	}
	in = in.only(func(r Ref) bool { return true })
	key := in.key(tableText)
	if _, ok := b.rememberedBase(key); ok {
		return nil
	}
	packages, err := in.Load()
	if err != nil {
		return err
	}
	_, err = b.makeBase(ctx, key, packages, in)
	return err
}

// base gives the configured base of a machine's packages; nil if none of them
// belongs to a base.
func (b *Builder) base(ctx context.Context, packages []*Package, in Input, table []byte) (*configuredBase, error) {
	plain := make([]debian.Package, 0, len(packages))
	for _, p := range packages {
		plain = append(plain, p.Package)
	}
	members := map[string]bool{}
	for _, p := range Base(plain) {
		members[p.Name+":"+p.Architecture] = true
	}
	if len(members) == 0 {
		return nil, nil
	}
	in = in.only(func(r Ref) bool { return members[r.Name+":"+r.Architecture] })
	key := in.key(table)
	made, ok := b.rememberedBase(key)
	if !ok {
		only := slices.DeleteFunc(slices.Clone(packages), func(p *Package) bool { return !members[p.key()] })
		var err error
		if made, err = b.makeBase(ctx, key, only, in); err != nil {
			return nil, err
		}
	}
	made.members = members
	return made, nil
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

func (b *Builder) rememberedBase(key string) (*configuredBase, bool) {
	text, ok := b.Store.Memo("base", key)
	if !ok || b.Shuffle != 0 {
		return nil, false
	}
	var memo baseMemo
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
	b.Observe.Reuse(graph.Step{Stage: graph.Base})
	return &configuredBase{before: before, after: after}, true
}

func (b *Builder) makeBase(ctx context.Context, key string, packages []*Package, in Input) (*configuredBase, error) {
	ended := b.Observe.Begin(graph.Step{Stage: graph.Base})
	mtime := tree.Time{Sec: in.Epoch}
	m, err := merge(packages, diversions{}, mtime)
	if err != nil {
		return nil, err
	}
	if err := writeDatabase(b.Store, m, packages, nil, in.Architecture, mtime); err != nil {
		return nil, err
	}
	if err := addScaffold(b.Store, m.files, packages, mtime); err != nil {
		return nil, err
	}
	made := &configuredBase{}
	if made.before, err = m.files.Tree(); err != nil {
		return nil, err
	}
	b.Report.Report(progress.Event{Stage: stageBase, Total: int64(len(packages))})
	script, err := baseScript(b.Store, packages, in.Answers, b.Shuffle)
	if err != nil {
		return nil, err
	}
	run := scriptRun{stage: stageBase, script: script, packages: len(packages)}
	if made.after, err = b.runQuickly(ctx, made.before, run, in.Epoch); err != nil {
		return nil, err
	}
	var memo baseMemo
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
		b.Store.Memoise("base", key, text)
	}
	ended(graph.Outcome{Bytes: made.after.Bytes, Result: memo.After, Of: in.keys()})
	return made, nil
}

// stanzas gives dpkg's own account of the base's packages, by [Package.key].
func (c *configuredBase) stanzas(s *store.Store) (map[string]debian.Stanza, error) {
	if c == nil {
		return nil, nil
	}
	text, err := readFile(s, c.after, databaseDir+"/status")
	if err != nil {
		return nil, err
	}
	out, err := readStatus(text)
	if err != nil {
		return nil, fmt.Errorf("read dpkg's status of the base: %w", err)
	}
	for name := range c.members {
		if _, ok := out[name]; !ok {
			return nil, fmt.Errorf("read dpkg's status of the base: it lost package %s", name)
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
