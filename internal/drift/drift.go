package drift

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"stet/internal/plan"
	"stet/internal/tree"
)

// Seen is what was seen of a machine. The facts are those of a plan that leads to
// the system that runs.
type Seen struct {
	Facts *plan.Facts

	// Passwd and Group are /etc/passwd and /etc/group; fields that are a user's own
	// to choose are as declared.
	Passwd, Group string
	Passwords     []string // users whose password is another than declared, and is not theirs to choose

	// Variables are the values of kernel variables that the system sets, by name,
	// as /proc/sys has them; one that this kernel does not know is missing.
	Variables   map[string]string
	CommandLine string // of the kernel
}

// Kind is what sort of thing differs.
type Kind string

// The kinds, in the order in which they are told.
const (
	File      Kind = "file"
	User      Kind = "user"
	Group     Kind = "group"
	Unit      Kind = "unit"
	Variable  Kind = "sysctl"
	Parameter Kind = "kernel parameter"
)

var kinds = []Kind{File, User, Group, Unit, Variable, Parameter}

// Kinds are all there are, in the order in which they are told.
func Kinds() []Kind { return slices.Clone(kinds) }

// Finding is one thing that differs.
type Finding struct {
	Kind   Kind        `json:"kind"`
	Name   string      `json:"name"`
	Change plan.Change `json:"change"`
	Path   string      `json:"path,omitempty"` // of what in /etc makes it so
	What   string      `json:"what,omitempty"` // in words
	Diff   string      `json:"diff,omitempty"`
	Hidden string      `json:"hidden,omitempty"` // why a file has no diff
	Undone string      `json:"undone"`           // what undoing it would do
	Until  string      `json:"until,omitempty"`  // when it goes by itself
}

// nextStart is when /etc is made anew.
const nextStart = "next start or switch"

// Find compares. Findings are sorted by kind and name.
func Find(store plan.Store, running plan.System, seen *Seen) ([]Finding, error) {
	declared, err := plan.ReadDeclared(store, running)
	if err != nil {
		return nil, err
	}
	f := &finder{seen: seen, declared: declared}
	if err := f.files(store, running); err != nil {
		return nil, err
	}
	f.users()
	f.groups()
	f.units()
	f.variables()
	f.parameters()
	slices.SortFunc(f.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Path, b.Path))
	})
	return f.found, nil
}

type finder struct {
	seen     *Seen
	declared *plan.Declared
	found    []Finding
}

func (f *finder) note(n Finding) { f.found = append(f.found, n) }

// accountFiles are told as users and groups; programs keep the old ones beside
// them with a dash.
var accountFiles = []string{"passwd", "group", "shadow", "gshadow", "subuid", "subgid"}

// files tells what differs in /etc and is no account.
func (f *finder) files(store plan.Store, running plan.System) error {
	// A plan that leads to where the machine is has the differences.
	p, err := plan.Make(store, running, running, f.seen.Facts)
	if err != nil {
		return err
	}
	etc, err := store.Tree(running.Trees["etc"])
	if err != nil {
		return fmt.Errorf("etc tree of system %.12s: %w", running.Digest, err)
	}
	for i := range f.seen.Facts.Drift {
		d := &f.seen.Facts.Drift[i]
		name := strings.TrimPrefix(d.Path, "/etc/")
		if d.Persisted || slices.Contains(accountFiles, strings.TrimSuffix(name, "-")) {
			continue
		}
		if f.link(d) || f.around(d) {
			continue
		}
		n := Finding{Kind: File, Name: d.Path, Change: d.Change, Path: d.Path, Until: nextStart}
		if at := slices.IndexFunc(p.Drift, func(of plan.Drift) bool { return of.Path == d.Path }); at >= 0 {
			n.Diff, n.Hidden = p.Drift[at].Diff, p.Drift[at].Hidden
		}
		e, _ := etc.Lookup("/" + name)
		n.What = inWords(d, e)
		n.Undone = "removes it"
		if d.Change != plan.Added {
			n.Undone = "puts it back"
		}
		f.note(n)
	}
	return nil
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
	return strings.Join(words, "; ")
}

// unitDirectory is where systemctl(1) makes its links.
const unitDirectory = "/etc/systemd/system/"

// link tells a link that systemctl(1) makes or removes as what it means to its
// unit. It reports whether that is one.
func (f *finder) link(d *plan.Drifted) bool {
	name, ok := strings.CutPrefix(d.Path, unitDirectory)
	if !ok || d.Change == plan.Modified || d.Change == plan.Added && d.Type != tree.Symlink.String() {
		return false
	}
	n := Finding{Kind: Unit, Name: path.Base(name), Change: plan.Modified, Path: d.Path, Until: nextStart}
	dir := path.Dir(name)
	wanted := strings.HasSuffix(dir, ".wants") || strings.HasSuffix(dir, ".requires")
	switch {
	case d.Change == plan.Added && wanted:
		n.What, n.Undone = "is enabled: "+strings.TrimSuffix(strings.TrimSuffix(dir, ".wants"), ".requires")+" wants it", "disables it"
	case d.Change == plan.Deleted && wanted:
		n.What, n.Undone = "is disabled: "+strings.TrimSuffix(strings.TrimSuffix(dir, ".wants"), ".requires")+" no longer wants it", "enables it"
	case d.Change == plan.Added && dir == "." && d.Target == "/dev/null":
		n.What, n.Undone = "is masked", "unmasks it"
	default:
		return false
	}
	f.note(n)
	return true
}

// users tells accounts, and passwords that are no longer what is declared.
func (f *finder) users() {
	now := plan.ParseUsers(f.seen.Passwd)
	each(f.declared.Users, now, func(name string, was, is *plan.Account) {
		switch {
		case was == nil:
			f.note(Finding{Kind: User, Name: name, Change: plan.Added, Path: "/etc/passwd", What: "uid " + is.UID + ", home " + is.Home, Undone: "removes the account; its files stay", Until: nextStart})
		case is == nil:
			f.note(Finding{Kind: User, Name: name, Change: plan.Deleted, Path: "/etc/passwd", Undone: "puts the account back", Until: nextStart})
		case *was != *is:
			f.note(Finding{Kind: User, Name: name, Change: plan.Modified, Path: "/etc/passwd", What: fields(was, is), Undone: "puts back what is declared", Until: nextStart})
		}
	})
	for _, name := range f.seen.Passwords {
		f.note(Finding{Kind: User, Name: name, Change: plan.Modified, Path: "/etc/shadow", What: "another password", Undone: "puts back the declared password", Until: nextStart})
	}
}

// fields says in which fields two accounts differ.
func fields(was, is *plan.Account) string {
	var words []string
	for _, of := range []struct{ name, was, is string }{
		{"uid", was.UID, is.UID}, {"gid", was.GID, is.GID}, {"comment", was.Comment, is.Comment}, {"home", was.Home, is.Home}, {"shell", was.Shell, is.Shell},
	} {
		if of.was != of.is {
			words = append(words, fmt.Sprintf("%s %s, declared %s", of.name, orNone(of.is), orNone(of.was)))
		}
	}
	return strings.Join(words, "; ")
}

func orNone(text string) string { return cmp.Or(text, "none") }

// groups tells groups and their members.
func (f *finder) groups() {
	each(f.declared.Groups, plan.ParseGroups(f.seen.Group), func(name string, was, is *plan.Membership) {
		n := Finding{Kind: Group, Name: name, Path: "/etc/group", Undone: "puts back what is declared", Until: nextStart}
		switch {
		case was == nil:
			n.Change, n.What, n.Undone = plan.Added, "gid "+is.GID, "removes it"
		case is == nil:
			n.Change = plan.Deleted
		case was.GID != is.GID:
			n.Change, n.What = plan.Modified, "gid "+is.GID+", declared "+was.GID
		case !slices.Equal(was.Members, is.Members):
			n.Change = plan.Modified
			var words []string
			if more := without(is.Members, was.Members); more != "" {
				words = append(words, "has "+more+", too")
			}
			if less := without(was.Members, is.Members); less != "" {
				words = append(words, "lacks "+less)
			}
			n.What = strings.Join(words, "; ")
		default:
			return
		}
		f.note(n)
	})
}

// without lists what is in all and not in some.
func without(all, some []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(some, name) }), ", ")
}

// transient is where systemd keeps units that nobody wrote down.
const transient = "/run/systemd/transient/"

// units tells units that failed, and services that run and are declared nowhere.
// Those of Stet's own that wait or work are no deviation.
func (f *finder) units() {
	for _, u := range f.seen.Facts.Managers[0].Units {
		switch {
		case u.Active == "failed" && strings.HasPrefix(u.Fragment, transient):
			f.note(Finding{Kind: Unit, Name: u.Name, Change: plan.Added, What: "has failed, and is written down nowhere", Undone: "forgets it", Until: "next start"})
		case u.Active == "failed":
			f.note(Finding{Kind: Unit, Name: u.Name, Change: plan.Modified, What: "has failed", Undone: "starts it again"})
		case strings.HasPrefix(u.Fragment, transient) && (strings.HasSuffix(u.Name, ".service") || strings.HasSuffix(u.Name, ".timer")) && !strings.HasPrefix(u.Name, "stet-"):
			f.note(Finding{Kind: Unit, Name: u.Name, Change: plan.Added, What: "runs, and is written down nowhere", Undone: "stops it", Until: "next start"})
		}
	}
}

// variables tells kernel variables with other values than the system sets.
func (f *finder) variables() {
	for _, name := range slices.Sorted(maps.Keys(f.declared.Sysctl)) {
		is, known := f.seen.Variables[name]
		if was := f.declared.Sysctl[name]; known && !equal(was, is) {
			f.note(Finding{Kind: Variable, Name: name, Change: plan.Modified, What: is + ", declared " + was, Undone: "sets it to " + was, Until: "next start"})
		}
	}
}

// parameters tells declared kernel parameters that the kernel was not started
// with, and those that somebody gave it at the boot loader.
func (f *finder) parameters() {
	declared, given := strings.Fields(f.seen.Facts.Booted.CommandLine), strings.Fields(f.seen.CommandLine)
	known := slices.Clone(declared)
	for _, word := range given {
		if added, ok := strings.CutPrefix(word, "stet.vm="); ok {
			known = append(known, strings.Split(added, ",")...)
		}
	}
	for _, word := range declared {
		if !slices.Contains(given, word) {
			f.note(Finding{Kind: Parameter, Name: word, Change: plan.Deleted, Undone: "a reboot gives it", Until: "next start"})
		}
	}
	for _, word := range given {
		if !slices.Contains(known, word) && !slices.ContainsFunc(stets, func(begin string) bool { return strings.HasPrefix(word, begin) }) {
			f.note(Finding{Kind: Parameter, Name: word, Change: plan.Added, Undone: "a reboot leaves it out", Until: "next start"})
		}
	}
}

// stets are the parameters of Stet's own: of its initrd, and those that a boot
// entry has so that a machine comes back (docs/formats/boot.md).
var stets = []string{"stet.", "initrd=", "panic=", "systemd.crash_action="}
