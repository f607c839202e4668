package drift

import (
	"fmt"
	"time"

	"stet/internal/plan"
	"stet/internal/tree"
)

// software tells what somebody put beside the packages. It is state, so that no
// undo takes it away.
func (f *finder) software() {
	for _, p := range f.seen.Placed {
		n := Finding{
			Kind: Software, Name: p.Path, Path: p.Path, Change: plan.Added, Since: p.Changed,
			Undone: "archives and removes it", Remedy: "`stet state clean " + p.Path + "` archives and removes it",
		}
		switch p.Type {
		case tree.Directory.String():
			n.What = fmt.Sprintf("directory with %s, of %s", files(p.Files, p.More), p.User)
		case tree.Symlink.String():
			n.What = "leads to " + p.Target
		case tree.Regular.String():
			n.What = "of " + p.User
		default:
			n.What = "is no file, directory or link, of " + p.User
		}
		if p.Instead {
			n.Change = plan.Modified
			n.What += "; the system has something else there"
			n.Undone, n.Remedy = "puts the system's in its place", "move it away; the next system with another /var puts the system's there"
		}
		f.note(n)
	}
}

func files(n int, more bool) string {
	switch {
	case more:
		return fmt.Sprintf("more than %d files", n)
	case n == 1:
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// schedules tells what runs at its time and is written in no tree: tables of
// cron(8) that people have, and jobs of at(1).
func (f *finder) schedules() {
	for _, s := range f.seen.Schedules {
		n := Finding{Kind: Scheduled, Path: s.Path, Change: plan.Added, Since: s.Changed, Undone: "removes it"}
		if s.Job == 0 {
			n.Name, n.What = "crontab of "+s.User, fmt.Sprintf("%d entries", s.Entries)
			if s.Entries == 1 {
				n.What = "1 entry"
			}
			n.Remedy = "`crontab -u " + s.User + " -r` removes it; `crontab -u " + s.User + " -l` prints it"
		} else {
			n.Name, n.What = fmt.Sprintf("at job %d", s.Job), "of "+s.User+", due "+s.Due.UTC().Format(time.RFC3339)
			n.Remedy = fmt.Sprintf("`atrm %d` removes it; `at -c %[1]d` prints it", s.Job)
		}
		f.note(n)
	}
}

// links tells what stands where a link of Stet's has to be: programs find other
// data there than the system's.
func (f *finder) links() {
	for _, l := range f.seen.Links {
		n := Finding{
			Kind: State, Name: l.Path, Path: l.Path, Change: plan.Modified, Since: l.Changed, What: "is a " + l.Type,
			Undone: "puts the link back", Remedy: "move it away, then `ln -s " + l.Target + " " + l.Path + "`",
		}
		switch {
		case l.Type == "":
			n.Change, n.What, n.Remedy = plan.Deleted, "led to "+l.Target, "`ln -s "+l.Target+" "+l.Path+"`"
		case l.To != "":
			n.What = "leads to " + l.To + ", declared " + l.Target
			n.Remedy = "`ln -sfn " + l.Target + " " + l.Path + "`"
		case l.Type == "other":
			n.What = "is no file, directory or link, declared a link to " + l.Target
		default:
			n.What += ", declared a link to " + l.Target
		}
		f.note(n)
	}
}
