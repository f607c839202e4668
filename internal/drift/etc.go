package drift

import (
	"fmt"
	"slices"
	"strings"

	"stet/internal/plan"
	"stet/internal/tree"
)

// changes tells what differs in /etc and is no account.
func (f *finder) changes(store plan.Store, running plan.System) error {
	// A plan that leads to where the machine is has the differences.
	p, err := plan.Make(store, running, running, f.seen.Facts)
	if err != nil {
		return err
	}
	for i := range f.seen.Facts.Drift {
		d := &f.seen.Facts.Drift[i]
		name := strings.TrimPrefix(d.Path, "/etc/")
		if d.Persisted {
			f.note(Finding{Kind: File, Name: d.Path, Change: d.Change, Path: d.Path, Since: f.seen.Changed[d.Path], Noise: whyKept(name)})
			continue
		}
		if slices.Contains(accountFiles, name) || f.around(d) || f.link(d) {
			continue
		}
		n := Finding{Kind: File, Name: d.Path, Change: d.Change, Path: d.Path, Since: f.seen.Changed[d.Path], Until: nextStart}
		if at := slices.IndexFunc(p.Drift, func(of plan.Drift) bool { return of.Path == d.Path }); at >= 0 {
			n.Diff, n.Hidden = p.Drift[at].Diff, p.Drift[at].Hidden
		}
		e, _ := f.etc.Lookup("/" + name)
		n.What = inWords(d, e)
		n.Undone = "removes it"
		if d.Change != plan.Added {
			n.Undone = "puts it back"
		}
		f.noteOf(n, n.What)
	}
	return nil
}

// whyKept says why a file of /etc outlives a start and a switch.
func whyKept(name string) string {
	if slices.Contains(accountFiles, name) {
		return "only what users may choose themselves is another"
	}
	return "the machine is to keep it"
}

// around reports whether this is a new directory of which what is in it tells.
func (f *finder) around(d *plan.Drifted) bool {
	return d.Change == plan.Added && d.Type == tree.Directory.String() && slices.ContainsFunc(f.seen.Facts.Drift, func(other plan.Drifted) bool {
		return strings.HasPrefix(other.Path, d.Path+"/")
	})
}

// inWords says what of an entry is another than declared, beside its content.
func inWords(d *plan.Drifted, e *tree.Entry) string {
	var words []string
	switch {
	case d.Change == plan.Deleted:
		return ""
	case e == nil && d.Type == tree.Regular.String(), e != nil && d.Type == e.Type.String(), d.Type == tree.Symlink.String():
	case d.Type == tree.Directory.String():
		words = append(words, "is a directory")
	default:
		words = append(words, "is no file, directory or link")
	}
	if d.Target != "" && (e == nil || d.Target != e.Target) {
		words = append(words, "leads to "+d.Target)
	}
	if e != nil && d.Type == e.Type.String() {
		if d.Mode != uint32(e.Mode) && e.Type != tree.Symlink {
			words = append(words, fmt.Sprintf("mode %04o, declared %04o", d.Mode, e.Mode))
		}
		if d.UID != e.UID || d.GID != e.GID {
			words = append(words, fmt.Sprintf("owner %d:%d, declared %d:%d", d.UID, d.GID, e.UID, e.GID))
		}
	}
	if len(d.Attributes) > 0 {
		words = append(words, "with other attributes: "+strings.Join(d.Attributes, ", "))
	}
	return strings.Join(words, "; ")
}
