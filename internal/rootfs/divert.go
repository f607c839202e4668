package rootfs

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"stet/internal/store"
	"stet/internal/tree"
)

// diversions say where files go that another package has put its own in place
// of, or wants to see gone (dpkg-divert(1)). The zero value diverts nothing.
type diversions struct {
	text []byte // dpkg's own list
	to   map[string]diversion
}

type diversion struct{ to, by string }

// parseDiversions reads dpkg's list: from, to and package in lines of their own.
func parseDiversions(text []byte) diversions {
	d := diversions{text: text, to: map[string]diversion{}}
	lines := splitText(text)
	for ; len(lines) >= 3; lines = lines[3:] {
		d.to[lines[0]] = diversion{lines[1], lines[2]}
	}
	return d
}

// of gives the path that a file of a package has where it ships name. The
// package that diverts keeps the place.
func (d diversions) of(p *Package, name string) string {
	if to, ok := d.to[name]; ok && to.by != p.Name {
		return to.to
	}
	return name
}

// divertProgram is what a preinst calls to divert files before its package,
// and those that it diverts files of, are unpacked.
const divertProgram = "dpkg-divert"

// diversions finds out which files the preinsts divert. dpkg would run them
// before it unpacks their packages; so they run here in a root that has the
// layer below alone, and what they do there is forgotten, but for the diversions.
// That they run again later in the whole root changes no diversion.
func (b *Builder) diversions(ctx context.Context, packages []*Package, below *configured, epoch int64) (diversions, error) {
	if below == nil {
		return diversions{}, nil
	}
	var asking []*Package
	root := tree.NewBuilder(below.after)
	for _, p := range packages {
		text, err := p.controlFile(b.Store, "preinst")
		if err != nil {
			return diversions{}, err
		}
		if below.has(p) || !bytes.Contains(text, []byte(divertProgram)) {
			continue
		}
		asking = append(asking, p)
		if err := putFile(b.Store, root, preinstBefore(p), text, 0o755, tree.Time{Sec: epoch}); err != nil {
			return diversions{}, err
		}
	}
	after := below.after
	if len(asking) > 0 {
		before, err := root.Tree()
		if err != nil {
			return diversions{}, err
		}
		run := scriptRun{stage: stageRest, script: divertScript(packages, asking), packages: len(packages)}
		if after, err = b.runQuickly(ctx, before, run, epoch); err != nil {
			return diversions{}, err
		}
	}
	text, err := readFile(b.Store, after, databaseDir+"/diversions")
	return parseDiversions(text), err
}

// preinstBefore is where a preinst lies before its package is unpacked.
func preinstBefore(p *Package) string { return databaseDir + "/tmp.ci/" + p.infoName() + ".preinst" }

func putFile(s *store.Store, root *tree.Builder, name string, text []byte, mode uint32, mtime tree.Time) error {
	digest, err := s.PutBytes(text)
	if err != nil {
		return err
	}
	root.MakeParents(name, mtime)
	root.Put(tree.Entry{Path: name, Type: tree.Regular, Mode: mode, Size: int64(len(text)), Digest: digest, Mtime: mtime})
	return nil
}

// write lets dpkg know the diversions.
func (d diversions) write(s *store.Store, root *tree.Builder, mtime tree.Time) error {
	if len(d.text) == 0 {
		return nil
	}
	return putFile(s, root, databaseDir+"/diversions", d.text, 0o644, mtime)
}

// divertScript runs preinsts. One that fails will fail again where it counts,
// and with it everything.
func divertScript(packages, asking []*Package) string {
	var b strings.Builder
	writePreamble(&b, packages)
	for _, p := range preinstOrder(asking) {
		writePreinstName(&b, p)
		fmt.Fprintf(&b, "%s install </dev/null >/dev/null 2>&1 || true\n", preinstBefore(p))
	}
	return b.String()
}
