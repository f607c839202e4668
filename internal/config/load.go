package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/ast"
	"golang.org/x/sync/errgroup"

	"stet/internal/machine"
	"stet/internal/similar"
)

// FileName is the configuration of one machine, in YAML.
const FileName = "stet.yaml"

// ErrNone means that a directory has no configuration.
var ErrNone = errors.New("no stet.yaml and no CUE file of package stet")

// Configuration is everything a repository declares, evaluated.
type Configuration struct {
	Dir      string                      // as given to Load
	Files    []string                    // what was read, relative to Dir, sorted; sources of files are not among them
	Machines map[string]*machine.Machine // by name

	texts     *texts
	limit     Limit
	memory    Memory
	evaluated sync.Map // machine to *evaluation
}

// Names are the names of all machines, sorted.
func (c *Configuration) Names() []string { return slices.Sorted(maps.Keys(c.Machines)) }

// Machine is the machine of that name, or the only one when name is empty.
func (c *Configuration) Machine(name string) (*machine.Machine, error) {
	names := c.Names()
	if name == "" {
		if len(names) == 1 {
			return c.Machines[names[0]], nil
		}
		return nil, fmt.Errorf("there are %d machines, name one: %s", len(names), strings.Join(names, ", "))
	}
	if m, ok := c.Machines[name]; ok {
		return m, nil
	}
	if near := similar.Nearest(name, names); near != "" {
		return nil, fmt.Errorf("no machine %q is declared; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("no machine %q is declared; there is %s", name, strings.Join(names, ", "))
}

// Places maps every option of a machine, written as in users.ada.shell or
// files."/etc/motd".text, to where its value comes from: a file of the
// repository, or "stet:modules/…" and "stet:schema/…" for Stet's own. The map
// is made on demand and belongs to the caller.
func (c *Configuration) Places(name string) map[string]Place {
	kept, ok := c.evaluated.Load(name)
	if !ok {
		return nil
	}
	return c.rememberPlaces(kept.(*evaluation).key, func() map[string]Place {
		e := c.evaluation(name)
		if e == nil {
			return nil
		}
		return e.places()
	})
}

// Used are all files of the repository that decide something: those that were
// read, and those that they refer to.
func (c *Configuration) Used() []string {
	used := slices.Clone(c.Files)
	c.evaluated.Range(func(_, e any) bool {
		used = slices.AppendSeq(used, maps.Keys(e.(*evaluation).consulted))
		return true
	})
	slices.Sort(used)
	return slices.Compact(used)
}

// Recalled says whether a machine was evaluated before, and nothing of what it
// comes from has changed since.
func (c *Configuration) Recalled(name string) bool {
	e, ok := c.evaluated.Load(name)
	return ok && e.(*evaluation).recalled
}

// evaluation gives a machine with all that is known of it, which takes a second
// evaluation where it was forgotten; nil when there is no such machine.
func (c *Configuration) evaluation(name string) *evaluation {
	kept, ok := c.evaluated.Load(name)
	if !ok {
		return nil
	}
	e := kept.(*evaluation)
	if e.language != nil {
		return e
	}
	again, err := c.texts.evaluate(context.Background(), e.key, c.limit)
	if err != nil {
		return nil
	}
	c.evaluated.Store(name, again)
	return again
}

// Wrong is what is wrong with an option of a machine, found after the
// configuration was evaluated. The elements are its path. With known, the
// option's last element is a name that is unknown, and these were possible.
func (c *Configuration) Wrong(machine string, elements []string, message, remedy string, known []string) Problems {
	p := Problem{Path: PathOf(elements), Message: message, Remedy: remedy}
	if e := c.evaluation(machine); e != nil {
		p.Place = e.labelled(elements...)
		if known == nil {
			p.Place = e.place(elements...)
		}
	}
	if near := similar.Nearest(elements[len(elements)-1], known); near != "" {
		p.Remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return Problems{p}
}

// WrongValue is Wrong of an option's value, where others were possible.
func (c *Configuration) WrongValue(machine string, elements []string, value, message, remedy string, possible []string) Problems {
	if near := similar.Nearest(value, possible); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return c.Wrong(machine, elements, message, remedy, nil)
}

const evaluatorFailed = "the evaluator failed"

// Has says whether a directory has a configuration, be it right or wrong.
func Has(dir string) bool {
	_, err := read(dir)
	wrong := (Problems)(nil)
	return err == nil || errors.As(err, &wrong)
}

// Load reads and evaluates the configuration in dir. Its error is a [Problems]
// when the text is wrong, [ErrNone] (wrapped) when there is none.
func Load(ctx context.Context, dir string) (*Configuration, error) {
	return Loader{}.Load(ctx, dir)
}

// Loader loads configurations. The zero Loader remembers nothing, and has the
// [DefaultLimit].
type Loader struct {
	Limit  Limit
	Memory Memory
}

// Load is [Load]. Machines are evaluated side by side, each in a context of its
// own.
func (l Loader) Load(ctx context.Context, dir string) (*Configuration, error) {
	if l.Limit == (Limit{}) {
		l.Limit = DefaultLimit()
	}
	r, err := read(dir)
	if err != nil {
		return nil, err
	}
	c := &Configuration{Dir: dir, Files: r.names(), Machines: map[string]*machine.Machine{}, texts: r, limit: l.Limit, memory: l.Memory}
	names, err := r.machines(ctx, l.Limit)
	if found := (Problems)(nil); errors.As(err, &found) {
		return nil, found.in(c.Files[0]).sorted()
	} else if err != nil {
		return nil, err
	}
	keys := slices.Clone(names) // "" stands for stet.yaml
	if r.yaml != nil {
		keys = append([]string{""}, keys...)
	}
	results := make([]*evaluation, len(keys))
	wrong := make([]Problems, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, key := range keys {
		group.Go(func() error {
			e, err := l.remember(r, key, func() (*evaluation, error) { return r.evaluate(ctx, key, l.Limit) })
			if errors.As(err, &wrong[i]) {
				return nil
			}
			if err == nil && len(keys) > 1 {
				e = e.forget()
			}
			results[i] = e
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var problems Problems
	for i, e := range results {
		problems = append(problems, wrong[i]...)
		if e == nil {
			continue
		}
		if _, twice := c.Machines[e.machine.Name]; twice {
			problems = append(problems, Problem{Place: e.named, Path: "name", Message: fmt.Sprintf("a second machine named %q", e.machine.Name)})
			continue
		}
		c.Machines[e.machine.Name] = e.machine
		c.evaluated.Store(e.machine.Name, e)
	}
	if len(problems) > 0 {
		return nil, problems.sorted()
	}
	if len(c.Machines) == 0 {
		return nil, Problems{{Place: Place{File: c.Files[0]}, Message: "no machine is declared", Remedy: "declare one: machines: hello: {}"}}
	}
	return c, nil
}

// names are the files that were read, sorted.
func (t *texts) names() []string {
	var names []string
	for _, f := range t.files {
		names = append(names, f.name)
	}
	for _, files := range t.packages {
		for _, f := range files {
			names = append(names, f.name)
		}
	}
	if t.yaml != nil {
		names = append(names, FileName)
	}
	if t.module != "" {
		names = append(names, moduleFile)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// machines lists the machines that CUE files declare: in so many words, or
// where they may come out of an expression, by evaluating it.
func (t *texts) machines(ctx context.Context, limit Limit) ([]string, error) {
	names, open := t.declared()
	if len(t.files) == 0 || !open && (len(names) > 0 || t.yaml != nil) {
		return names, nil
	}
	where := newPlaces()
	all, err := bounded(ctx, limit, &t.evaluating, func() ([]string, error) {
		language, err := compile(t, t.files, where)
		if err != nil {
			return nil, err
		}
		machines := language.root.LookupPath(cue.ParsePath("machines"))
		fields, err := machines.Fields()
		if err != nil && machines.Exists() && len(names) == 0 {
			return nil, translate(machines.Err(), where, nil)
		}
		all := slices.Clone(names)
		for err == nil && fields.Next() {
			all = append(all, fields.Selector().Unquoted())
		}
		slices.Sort(all)
		return slices.Compact(all), nil
	})
	if wrong := (Problems)(nil); errors.As(err, &wrong) && t.yaml != nil {
		return nil, nil // the evaluation of stet.yaml finds it too
	}
	return all, t.givenUp(err, Place{File: t.files[0].name}, "machines")
}

// evaluate evaluates stet.yaml, when key is empty, or one machine of the CUE
// files.
func (t *texts) evaluate(ctx context.Context, key string, limit Limit) (*evaluation, error) {
	e := &evaluation{texts: t, key: key, file: t.fileOf(key), where: newPlaces()}
	done, err := bounded(ctx, limit, &t.evaluating, func() (*evaluation, error) {
		var err error
		if e.language, err = compile(t, t.of(key), e.where); err != nil {
			return nil, err
		}
		if key != "" {
			e.written = e.language.root.LookupPath(cue.MakePath(cue.Str("machines"), cue.Str(key)))
			return e.run(nil)
		}
		return e.yaml()
	})
	path := ""
	if key != "" {
		path = PathOf([]string{"machines", key})
	}
	return done, t.givenUp(err, Place{File: e.file}, path)
}

// fileOf is where problems of a machine belong that have no place.
func (t *texts) fileOf(key string) string {
	if key == "" {
		return FileName
	}
	return t.files[0].name
}

// yaml evaluates stet.yaml.
func (e *evaluation) yaml() (*evaluation, error) {
	tree, err := parseYAML(FileName, e.texts.yaml, e.where)
	if err != nil {
		return nil, err
	}
	var problems Problems
	sets(tree, e.language.machine, e.where, &problems)
	e.written = e.language.context.BuildFile(&ast.File{Filename: FileName, Decls: tree.Elts})
	return e.run(problems)
}

// givenUp gives an evaluation that ended by itself or was ended its place: most
// likely a loop.
func (t *texts) givenUp(err error, place Place, path string) error {
	failed := (*evaluationFailed)(nil)
	if !errors.As(err, &failed) {
		return err
	}
	p := Problem{Place: place, Path: path, Message: failed.message, Remedy: failed.remedy}
	if failed.remedy == "" {
		p.Remedy = "something in it is too large, or grows without end"
		where := newPlaces()
		var trees []*ast.File
		for _, f := range t.files {
			if tree, _ := parse(f, where); tree != nil {
				trees = append(trees, tree)
			}
		}
		if all := loops(trees, where); len(all) > 0 {
			p.Place, p.Others, p.Remedy = all[0], all[1:], "this loop runs too often, or what it loops over is too large"
		}
	}
	return Problems{p}
}
