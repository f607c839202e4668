package rootfs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/progress"
	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/tree"
)

// Stage is the version of this room's work. It rises whenever the tree made
// of the same packages changes.
const Stage = 8

// Input is what a configured root is made of.
type Input struct {
	Packages     []Ref
	Architecture string // the native one
	Epoch        int64  // seconds since 1970
	Answers      Answers
	Load         func() ([]*Package, error)
}

// Ref names a package by its bytes.
type Ref struct{ Name, Version, Architecture, SHA256 string }

// Builder configures roots.
type Builder struct {
	Store    *store.Store
	Provider Provider
	Report   progress.Func
	Observe  graph.Observer

	// Patience is how long scripts and programs may show no sign of life before
	// they are killed; 0 stands for half an hour.
	Patience time.Duration

	// Shuffle configures in another order that dependencies allow as well, with
	// other process numbers, and remembers nothing of it. The tree must be the
	// same. 0 stands for Debian's own order.
	Shuffle uint64

	// Whole runs the scripts of all packages, whatever is remembered of them.
	Whole bool
}

// Configure runs the packages' scripts and gives the digest of the tree they
// left, with the numbers of users and groups that the scripts chose. What was
// configured before is remembered.
func (b *Builder) Configure(ctx context.Context, in Input) (string, error) {
	table, tableText, err := residue.Builtin()
	if err != nil {
		return "", err
	}
	key := in.key(tableText)
	if memo, ok := b.Store.Memo("configure", key); ok && b.Shuffle == 0 && !b.Whole {
		b.Observe.Reuse(graph.Step{Stage: graph.Configure})
		return string(memo), nil
	}
	packages, err := in.Load()
	if err != nil {
		return "", err
	}
	// A mistake shall be told before anything is configured.
	if _, err := in.Answers.selections(b.Store, packages); err != nil {
		return "", err
	}
	made, note, err := b.configureMore(ctx, packages, in, table, tableText)
	if err == nil && made == nil {
		made, err = b.configureAll(ctx, packages, in, table, note)
	}
	if err != nil {
		return "", err
	}
	if err := b.remember(made, in, tableText); err != nil {
		return "", err
	}
	clean, err := normalise(b.Store, made.after, table, tree.Time{Sec: in.Epoch})
	if err != nil {
		return "", err
	}
	digest, err := b.Store.PutTree(clean)
	if err != nil {
		return "", err
	}
	if b.Shuffle == 0 {
		b.Store.Memoise("configure", key, []byte(digest))
	}
	return digest, nil
}

// configureMore configures what a root that is remembered does not have. It gives none
// where there is no such root, or where nothing proves that it would be the same as with
// the scripts of all: the note says why.
func (b *Builder) configureMore(ctx context.Context, packages []*Package, in Input, table *residue.Table, tableText []byte) (made *configured, note string, err error) {
	below := b.nearest(in, tableText).load(b.Store)
	if below == nil {
		return nil, "", nil
	}
	reason, err := unnoticed(b.Store, packages, below)
	if err == nil && reason == "" {
		made, err = b.configure(ctx, packages, below, in, table, "")
	}
	var failed *ScriptError
	if errors.As(err, &failed) {
		reason, err = fmt.Sprintf("the %s of %s failed without", failed.Step, failed.Package), nil
	}
	if reason != "" {
		note = "all scripts run: " + reason
	}
	return made, note, err
}

// configureAll configures all packages, layer by layer.
func (b *Builder) configureAll(ctx context.Context, packages []*Package, in Input, table *residue.Table, note string) (*configured, error) {
	below, err := b.layers(ctx, b.layersOf(packages, in))
	if err != nil {
		return nil, err
	}
	return b.configure(ctx, packages, below, in, table, note)
}

// key covers everything that Configure's result depends on.
func (in Input) key(table []byte) string {
	refs := slices.Clone(in.Packages)
	slices.SortFunc(refs, func(a, b Ref) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Architecture, b.Architecture), cmp.Compare(a.Version, b.Version))
	})
	h := sha256.New()
	fmt.Fprintf(h, "stage %d\nepoch %d\narchitecture %s\n", Stage, in.Epoch, in.Architecture)
	for _, r := range refs {
		fmt.Fprintf(h, "package %s %s %s %s\n", r.Name, r.Architecture, r.Version, r.SHA256)
	}
	for _, name := range sortedKeys(in.Answers) {
		for _, question := range sortedKeys(in.Answers[name]) {
			fmt.Fprintf(h, "answer %s %s %q\n", name, question, in.Answers[name][question])
		}
	}
	h.Write(table)
	return hex.EncodeToString(h.Sum(nil))
}

// configure lays what the layer below does not have over it, configures that, and lets
// all have what they triggered. The note is for whoever wants to know what was done.
func (b *Builder) configure(ctx context.Context, packages []*Package, below *configured, in Input, table *residue.Table, note string) (*configured, error) {
	b.Report.Report(progress.Event{Stage: "merge packages", Total: int64(len(packages))})
	ended := b.Observe.Begin(graph.Step{Stage: graph.Merge})
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
	ended(graph.Outcome{Bytes: before.Bytes})
	ended = b.Observe.Begin(graph.Step{Stage: graph.Configure})
	script, err := restScript(b.Store, packages, below, in.Answers, b.Shuffle)
	if err != nil {
		return nil, err
	}
	run := scriptRun{stage: stageRest, script: script + lastScript(table, packages), packages: unconfigured, starts: startsFor(below.without(packages))}
	if made.after, err = b.runQuickly(ctx, before, run, in.Epoch); err != nil {
		return nil, err
	}
	ended(graph.Outcome{Bytes: made.after.Bytes, Note: note})
	return made, nil
}

// merge gives the files of packages together with dpkg's database, and how many of the
// packages the layer below does not have.
func (b *Builder) merge(ctx context.Context, packages []*Package, below *configured, in Input) (m *merged, unconfigured int, err error) {
	mtime := tree.Time{Sec: in.Epoch}
	diverted, err := b.diversions(ctx, packages, below, in.Epoch)
	if err != nil {
		return nil, 0, err
	}
	if m, err = merge(packages, diverted, mtime); err != nil {
		return nil, 0, err
	}
	done, err := below.stanzas(b.Store)
	if err != nil {
		return nil, 0, err
	}
	return m, len(packages) - len(done), writeDatabase(b.Store, m, packages, done, in.Architecture, mtime)
}

// root gives the tree in which the scripts of packages run that the layer below does not
// have: their files laid over it. Nothing may be added to the files afterwards.
func (b *Builder) root(m *merged, packages []*Package, below *configured, epoch int64, table *residue.Table) (*tree.Tree, error) {
	mtime := tree.Time{Sec: epoch}
	if err := below.lay(b.Store, m, packages, table); err != nil {
		return nil, err
	}
	if err := m.diverted.write(b.Store, m.files, mtime); err != nil {
		return nil, err
	}
	if err := addScaffold(b.Store, m.files, packages, mtime); err != nil {
		return nil, err
	}
	return m.files.Tree()
}

// runQuickly is runScript with understudies and head starts. A shuffled build
// has none of both, so that building twice compares them with what the scripts
// and the packaged programs do themselves.
func (b *Builder) runQuickly(ctx context.Context, before *tree.Tree, run scriptRun, epoch int64) (*tree.Tree, error) {
	if b.Shuffle == 0 {
		after, err := b.runSubstituted(ctx, before, run, epoch)
		var failed *ScriptError
		if after != nil || err != nil && !errors.As(err, &failed) {
			return after, err
		}
	}
	return b.runScript(ctx, before, run, epoch)
}

// runSubstituted gives no tree when the scripts have to run without.
func (b *Builder) runSubstituted(ctx context.Context, before *tree.Tree, run scriptRun, epoch int64) (*tree.Tree, error) {
	c, err := substitute(b.Store, before, parts)
	if err != nil {
		return nil, err
	}
	ahead, err := b.begin(ctx, c.on, run.starts, epoch)
	if err != nil {
		return nil, err
	}
	after, err := b.runScript(ctx, ahead.stubbed, run, epoch)
	whole, endErr := ahead.end(b.Store, after)
	if err != nil || endErr != nil || whole == nil {
		return nil, errors.Join(err, endErr)
	}
	return c.restore(whole)
}

// scriptRun is one run of maintainer scripts in a root of its own.
type scriptRun struct {
	stage    string // for people
	script   string
	packages int         // that it configures
	starts   []headStart // that its packages may want
}

// What people see of the runs.
const (
	stageBase  = "configure the base"
	stageAhead = "configure packages ahead"
	stageRest  = "configure packages"
)

// runScript runs a script in a root of the given tree and gives the tree as
// the script left it.
func (b *Builder) runScript(ctx context.Context, before *tree.Tree, run scriptRun, epoch int64) (*tree.Tree, error) {
	return b.inRoot(before, func(p Provided, r room) (*tree.Tree, error) {
		root, err := p.Root()
		if err != nil {
			return nil, err
		}
		if err := b.runIn(ctx, withStubs(root, before), r, run, epoch); err != nil {
			return nil, err
		}
		return p.Harvest(tree.Time{Sec: epoch})
	})
}

// Number gives the digest of a configured tree with the ledger's numbers. A
// name that the ledger does not know is a *MissingIDError that names packages.
func (b *Builder) Number(configured string, ids lock.IDs, in Input) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "stage %d\ntree %s\nepoch %d\n", Stage, configured, in.Epoch)
	for _, name := range sortedKeys(ids.Users) {
		fmt.Fprintf(h, "user %s %d\n", name, ids.Users[name].UID)
	}
	for _, name := range sortedKeys(ids.Groups) {
		fmt.Fprintf(h, "group %s %d\n", name, ids.Groups[name])
	}
	key := hex.EncodeToString(h.Sum(nil))
	if memo, ok := b.Store.Memo("number", key); ok {
		b.Observe.Reuse(graph.Step{Stage: graph.Number})
		return string(memo), nil
	}
	ended := b.Observe.Begin(graph.Step{Stage: graph.Number})
	t, err := b.Store.Tree(configured)
	if err != nil {
		return "", err
	}
	numbered, err := renumber(b.Store, t, ids, in.Epoch)
	var missing *MissingIDError
	if errors.As(err, &missing) {
		missing.Packages = b.whoNames(missing.Name, in)
	}
	if err != nil {
		return "", err
	}
	digest, err := b.Store.PutTree(numbered)
	if err != nil {
		return "", err
	}
	b.Store.Memoise("number", key, []byte(digest))
	ended(graph.Outcome{Bytes: numbered.Bytes, Result: digest})
	return digest, nil
}

// whoNames finds the packages whose scripts or sysusers.d(5) files have a name
// as a word. It serves an error message; what cannot be read is passed over.
func (b *Builder) whoNames(name string, in Input) []string {
	packages, err := in.Load()
	if err != nil {
		return nil
	}
	word := regexp.MustCompile(`(^|[^-\w])` + regexp.QuoteMeta(name) + `([^-\w]|$)`)
	var out []string
	for _, p := range sorted(packages) {
		var texts []*tree.Entry
		for e := range p.Files.Below("/usr/lib/sysusers.d") {
			texts = append(texts, e)
		}
		for _, script := range []string{"/preinst", "/postinst"} {
			if e, ok := p.Control.Lookup(script); ok {
				texts = append(texts, e)
			}
		}
		if slices.ContainsFunc(texts, func(e *tree.Entry) bool {
			data, err := b.Store.ReadObject(e.Digest)
			return err == nil && word.Match(data)
		}) {
			out = append(out, p.Name)
		}
	}
	return out
}
