package build

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"stet/internal/lock"
	"stet/internal/residue"
	"stet/internal/rootfs"
	"stet/internal/system"
	"stet/internal/tree"
)

// Difference is one path that two builds made differently, what made it, and
// what it may need in the residue table.
type Difference struct {
	Path    string `json:"path"`
	Package string `json:"package,omitempty"` // whose it is, as far as that is known
	By      string `json:"by,omitempty"`      // how that is known
	How     string `json:"how"`
	Class   string `json:"class"`               // proposed for the residue table
	Treat   string `json:"treatment,omitempty"` // proposed for a kept path
}

// String says it in one line.
func (d Difference) String() string {
	who := "no package known"
	if d.Package != "" {
		who = fmt.Sprintf("%s (%s)", d.Package, d.By)
	}
	return fmt.Sprintf("%s: %s; %s; class %s", d.Path, who, d.How, d.Proposed())
}

// Proposed is class and treatment in words.
func (d Difference) Proposed() string {
	if d.Treat == "" {
		return d.Class
	}
	return d.Class + ", " + d.Treat
}

// Compare gives everything in which two builds of a machine differ, sorted by
// path; nothing when they are the same to the byte. Scratch are the paths that
// only one of them had, such as those of their stores.
func (b *Builder) Compare(first, second *System, packages []lock.Package, scratch ...string) ([]Difference, error) {
	if first.Digest == second.Digest && first.Root == second.Root {
		return nil, nil
	}
	c := b.comparison(packages, scratch)
	if first.Root != second.Root {
		if err := c.trees(first.Root, second.Root, func(name string) string { return name }); err != nil {
			return nil, err
		}
	}
	table, _, err := residue.Builtin()
	if err != nil {
		return nil, err
	}
	x, y := first.Manifest, second.Manifest
	for _, name := range slices.Sorted(maps.Keys(x.Trees)) {
		switch {
		case x.Trees[name] != y.Trees[name]:
			err := c.trees(x.Trees[name], y.Trees[name], func(entry string) string { return system.Origin(table, name, entry) })
			if err != nil {
				return nil, err
			}
		case x.Images[name] != y.Images[name]:
			c.made(name + " image")
		}
	}
	if x.Kernel != y.Kernel && len(c.found) == 0 {
		c.made("kernel")
	}
	if x.Initrd != y.Initrd && x.Trees["modules"] == y.Trees["modules"] {
		c.made("initrd")
	}
	if x.CommandLine != y.CommandLine {
		c.made("command line")
	}
	if len(c.found) == 0 {
		return nil, fmt.Errorf("the builds are %s and %s, and nothing that they name differs: this is a mistake in Stet", short(first.Digest), short(second.Digest))
	}
	return c.sorted(), nil
}

// comparison collects differences, each path once.
type comparison struct {
	builder  *Builder
	packages []lock.Package
	scratch  []string
	causes   *rootfs.Causes
	found    map[string]Difference
}

func (b *Builder) comparison(packages []lock.Package, scratch []string) *comparison {
	return &comparison{builder: b, packages: packages, scratch: scratch, found: map[string]Difference{}}
}

func (c *comparison) sorted() []Difference {
	return slices.SortedFunc(maps.Values(c.found), func(a, b Difference) int { return cmp.Compare(a.Path, b.Path) })
}

// made notes a difference in what Stet makes itself.
func (c *comparison) made(what string) {
	c.found[what] = Difference{Path: what, Package: "stet", By: "makes it", How: residue.HowContent, Class: "none: this is a mistake in Stet"}
}

// trees compares two stored trees.
func (c *comparison) trees(first, second string, origin func(string) string) error {
	x, err := c.builder.Store.Tree(first)
	if err != nil {
		return err
	}
	y, err := c.builder.Store.Tree(second)
	if err != nil {
		return err
	}
	for change := range tree.Diff(x, y) {
		if err := c.add(origin(change.Path()), change); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) add(name string, change tree.Change) error {
	if _, known := c.found[name]; known {
		return nil
	}
	if c.causes == nil {
		packages, err := load(c.builder.Store, c.packages)
		if err != nil {
			return err
		}
		c.causes = rootfs.NewCauses(c.builder.Store, packages)
	}
	before, after, how, err := c.contents(change)
	if err != nil {
		return err
	}
	proposal := residue.Judge(name, before, after, how, c.scratch...)
	cause := c.causes.Of(name)
	c.found[name] = Difference{name, cause.Package, cause.By, proposal.How, string(proposal.Class), proposal.Treatment}
	return nil
}

// contents gives both contents, or says how the entries differ beside them.
func (c *comparison) contents(change tree.Change) (before, after []byte, how string, err error) {
	x, y := change.Old, change.New
	switch {
	case x == nil || y == nil:
		return nil, nil, residue.HowPresence, nil
	case x.Type != y.Type:
		return nil, nil, residue.HowContent, nil
	case x.Target != y.Target:
		return []byte(x.Target), []byte(y.Target), "", nil
	case x.SameContent(y) && x.SameMetadata(y):
		return nil, nil, residue.HowTime, nil
	case x.SameContent(y):
		return nil, nil, residue.HowMetadata, nil
	}
	if before, err = c.builder.Store.ReadObject(x.Digest); err != nil {
		return nil, nil, "", err
	}
	after, err = c.builder.Store.ReadObject(y.Digest)
	return before, after, "", err
}

// irreproducible explains a root that is not the one the lock proved.
func (b *Builder) irreproducible(name, proven, made string, packages []lock.Package) error {
	err := fmt.Errorf("machine %s: the packages of stet.lock configured to another root than when it was locked (%s, not %s)", name, short(made), short(proven))
	c := b.comparison(packages, nil)
	if c.trees(proven, made, func(path string) string { return path }) != nil {
		return fmt.Errorf("%w; the locked root is not in this store, so the difference cannot be shown", err)
	}
	var lines strings.Builder
	all := c.sorted()
	for i, d := range all {
		if i == shownDifferences {
			fmt.Fprintf(&lines, "\n  … and %d more", len(all)-i)
			break
		}
		lines.WriteString("\n  " + d.String())
	}
	return fmt.Errorf("%w; these paths differ:%s", err, lines.String())
}

// shownDifferences is how many fit on one screen.
const shownDifferences = 20

func short(digest string) string { return digest[:min(12, len(digest))] }
