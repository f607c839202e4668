package adopt

import (
	"fmt"
	"path"
	"strings"

	"stet/internal/drift"
	"stet/internal/plan"
	"stet/internal/tree"
)

// How much of what somebody put beside the packages a repository takes: as files, and
// as bytes of all.
const (
	mostFiles  = 64
	mostAtOnce = 16 << 20
)

// software adopts what somebody put into /usr/local or /opt: all of a directory, or
// nothing.
func (a *adopter) software(f drift.Finding) {
	const remedy = "declare a package that has it; one of your own is packages.NAME.local"
	if f.Change != plan.Added {
		a.leave(f, "the system has something else there", f.Remedy)
		return
	}
	all, err := a.Below(f.Path, 2*mostFiles)
	if err != nil {
		a.leave(f, fmt.Sprintf("it cannot be read: %v", err), "")
		return
	}
	var take []plan.Drifted
	var size int64
	for _, d := range all {
		isDirectory := d.Type == tree.Directory.String()
		if isCompiled(d.Path) || isDirectory && len(a.attributes(d.Path, d, "0755")) == 0 {
			continue // Python makes it anew; a directory is there with what is in it
		}
		take = append(take, d)
		size += d.Size
		switch {
		case d.Type != tree.Regular.String() && d.Type != tree.Symlink.String() && !isDirectory:
			a.leave(f, d.Path+" is neither a file nor a directory nor a link", "remove that, and adopt the rest")
			return
		case d.Type == tree.Regular.String() && isSecret(d):
			a.leave(f, "others may not read "+d.Path+", and a repository is read by many", "`chmod o+r "+d.Path+"`, if it is no secret")
			return
		}
	}
	switch {
	case len(all) > 2*mostFiles || len(take) > mostFiles:
		a.leave(f, fmt.Sprintf("it has more than %d files", mostFiles), remedy)
		return
	case size > mostAtOnce:
		a.leave(f, fmt.Sprintf("it has more than %d MiB", mostAtOnce>>20), remedy)
		return
	}
	for _, d := range take {
		a.entry(f, d)
	}
}

// isCompiled reports whether Python keeps there what it compiled.
func isCompiled(name string) bool {
	return path.Base(name) == "__pycache__" || strings.Contains(name, "/__pycache__/")
}
