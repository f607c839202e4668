package integrity

import (
	"bufio"
	"bytes"
	"maps"
	"path"
	"slices"
	"strings"

	"stet/internal/residue"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/tree"
)

// lists is where a usr tree has dpkg's lists of files.
const lists = "/lib/sysimage/dpkg/info"

// explain finds out what each finding hurts.
func (v *inventory) explain() error {
	if len(v.findings) == 0 {
		return nil
	}
	table, _, err := residue.Builtin()
	if err != nil {
		return err
	}
	byDigest := map[string][]*Finding{}
	for i := range v.findings {
		f := &v.findings[i]
		byDigest[string(f.Kind)+f.digest] = append(byDigest[string(f.Kind)+f.digest], f)
	}
	e := &explainer{inventory: v, table: table, findings: byDigest}
	for _, digest := range slices.Sorted(maps.Keys(v.manifests)) {
		e.system(digest)
	}
	for digest, numbers := range v.generations {
		for _, f := range byDigest[string(store.Systems)+digest] { // its manifest is gone or damaged
			f.Hurts = append(f.Hurts, Hurt{Systems: []string{digest}, Generations: numbers})
		}
	}
	return nil
}

type explainer struct {
	*inventory
	table    *residue.Table
	findings map[string][]*Finding // by kind and digest
}

// system adds to the findings what they mean for one system.
func (e *explainer) system(digest string) {
	m := e.manifests[digest]
	hurt := Hurt{Machine: m.Machine, Systems: []string{digest}, Generations: e.generations[digest]}
	e.whole(hurt, store.Objects, m.Kernel.String(), "the kernel")
	e.whole(hurt, store.Objects, m.Initrd.String(), "the initrd")
	trees := map[string]*tree.Tree{}
	for name, image := range m.Images {
		e.whole(hurt, store.Images, image.String(), "")
		e.whole(hurt, store.Trees, m.Trees[name], "")
		if t, err := e.store.Tree(m.Trees[name]); err == nil {
			trees[name] = t
		}
	}
	var packages map[string]string // read when there is something to tell
	for _, name := range slices.Sorted(maps.Keys(trees)) {
		for entry := range trees[name].All() {
			for _, f := range e.findings[string(store.Objects)+entry.Digest.String()] {
				if packages == nil {
					packages = e.packages(trees["usr"])
				}
				seen := hurt
				seen.Path = system.Origin(e.table, name, entry.Path)
				seen.Package = packages[seen.Path]
				f.add(seen)
			}
		}
	}
}

// whole adds what hurts all of a system.
func (e *explainer) whole(hurt Hurt, k store.Kind, digest, path string) {
	for _, f := range e.findings[string(k)+digest] {
		hurt.Path = path
		f.add(hurt)
	}
}

// add joins what is the same in several systems.
func (f *Finding) add(h Hurt) {
	for i := range f.Hurts {
		if have := &f.Hurts[i]; have.Path == h.Path && have.Package == h.Package && have.Machine == h.Machine {
			if !slices.Contains(have.Systems, h.Systems[0]) {
				have.Systems = append(have.Systems, h.Systems...)
				have.Generations = append(have.Generations, h.Generations...)
				slices.Sort(have.Generations)
			}
			return
		}
	}
	h.Systems, h.Generations = slices.Clone(h.Systems), slices.Clone(h.Generations)
	f.Hurts = append(f.Hurts, h)
}

// packages says which package brings a path. A list that is damaged itself tells
// nothing.
func (e *explainer) packages(usr *tree.Tree) map[string]string {
	owners := map[string]string{}
	if usr == nil {
		return owners
	}
	for entry := range usr.Below(lists) {
		name, isList := strings.CutSuffix(path.Base(entry.Path), ".list")
		if !isList || entry.Type != tree.Regular {
			continue
		}
		text, err := e.store.ReadObject(entry.Digest)
		if err != nil {
			continue
		}
		name, _, _ = strings.Cut(name, ":")
		for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
			owners[lines.Text()] = name
		}
	}
	return owners
}
