package drift

import (
	"maps"
	"path"
	"slices"
	"strings"

	"stet/internal/plan"
	"stet/internal/tree"
	"stet/internal/unit"
)

// unitDirectory is where systemctl(1) makes its links, userUnitDirectory that for the
// managers of users.
const (
	unitDirectory     = "/etc/systemd/system/"
	userUnitDirectory = "/etc/systemd/user/"
)

// link tells a link that systemctl(1) makes or removes as what it means to its
// unit. It reports whether that is one.
func (f *finder) link(d *plan.Drifted) bool {
	name, ok := strings.CutPrefix(d.Path, unitDirectory)
	if !ok || d.Change == plan.Modified || d.Change == plan.Added && d.Type != tree.Symlink.String() {
		return false
	}
	n := Finding{Kind: Unit, Name: path.Base(name), Change: plan.Modified, Path: d.Path, Since: f.seen.Changed[d.Path], Until: nextStart}
	dir := path.Dir(name)
	by, wanted := wanter(dir)
	switch {
	case d.Change == plan.Added && wanted:
		n.What, n.Undone = "is enabled: "+by+" wants it", "disables it"
	case d.Change == plan.Deleted && wanted:
		n.What, n.Undone = "is disabled: "+by+" no longer wants it", "enables it"
	case d.Change == plan.Added && dir == "." && d.Target == "/dev/null":
		n.What, n.Undone = "is masked", "unmasks it"
	default:
		return false
	}
	f.note(n)
	return true
}

// wanter gives the unit that wants those to which a directory has links.
func wanter(dir string) (by string, ok bool) {
	for _, suffix := range []string{".wants", ".requires", ".upholds"} {
		if by, ok := strings.CutSuffix(dir, suffix); ok {
			return by, true
		}
	}
	return "", false
}

// transient is where systemd keeps units that nobody wrote down.
const transient = "/run/systemd/transient/"

// units tells units that failed, and services that run and are declared nowhere.
// Those of Stet's own that wait or work are no deviation.
func (f *finder) units() {
	for _, u := range f.seen.Facts.Managers[0].Units {
		switch {
		case u.Active == "failed" && strings.HasPrefix(u.Fragment, transient):
			f.note(Finding{Kind: Unit, Name: u.Name, Change: plan.Added, What: "has failed, and is written down nowhere", Undone: "forgets it", Until: nextFullStart})
		case u.Active == "failed":
			f.note(Finding{Kind: Unit, Name: u.Name, Change: plan.Modified, What: "has failed", Undone: "starts it again"})
		case strings.HasPrefix(u.Fragment, transient) && (strings.HasSuffix(u.Name, ".service") || strings.HasSuffix(u.Name, ".timer")) && !strings.HasPrefix(u.Name, "stet-"):
			f.note(Finding{Kind: Unit, Name: u.Name, Change: plan.Added, What: "runs, and is written down nowhere", Undone: "stops it", Stops: u.Name, Until: nextFullStart, Noise: f.isWritten(u.Fragment)})
		}
	}
}

// runtimes are where units of this run of the machine are written: by systemctl
// --runtime, by its set-property, by portablectl(1), and for the managers of users.
// What generators make comes from /etc, and transient units are told as what runs.
var runtimes = []string{"/run/systemd/system/", "/run/systemd/system.control/", "/run/systemd/system.attached/", userRuntime}

const userRuntime = "/run/systemd/user/"

// stetsRun are patterns of what Stet writes to /run/systemd/system, in the initrd
// and for a virtual machine (docs/formats/state.md).
var stetsRun = []string{
	"stet.mount.d/stet.conf", "run-stet-bin.mount.d/stet.conf",
	"var.mount", "home.mount", "root.mount", "srv.mount", "opt.mount",
	"efi.mount", "efi.automount", "local-fs.target.wants/efi.automount",
	`dev-disk-by\\x2dpartuuid-*.swap`, `swap.target.wants/dev-disk-by\\x2dpartuuid-*.swap`,
	"stet-agent.service", "sysinit.target.wants/stet-agent.service", "*getty@*.service.d/stet-vm.conf",
}

// runtime tells unit files, drop-ins, links and masks that last as long as the
// machine runs.
func (f *finder) runtime() {
	for _, at := range slices.Sorted(maps.Keys(f.seen.Facts.Run)) {
		i := slices.IndexFunc(runtimes, func(dir string) bool { return strings.HasPrefix(at, dir) })
		if i < 0 {
			continue
		}
		name := strings.TrimPrefix(at, runtimes[i])
		if i == 0 && slices.ContainsFunc(stetsRun, func(pattern string) bool { return matches(pattern, name) }) {
			continue
		}
		n := f.runFile(at, name)
		n.Noise = f.isWritten(at)
		f.note(n)
	}
}

// isWritten says why a file of /run is no deviation: the system has one that says the
// same, as after it was adopted. What is in [Install] means nothing to what runs.
func (f *finder) isWritten(at string) string {
	const why = "the system says the same, and the next start takes it from there"
	for _, dir := range slices.Concat(runtimes, []string{transient}) {
		name, ok := strings.CutPrefix(at, dir)
		if !ok {
			continue
		}
		of := unitDirectory
		if dir == userRuntime {
			of = userUnitDirectory
		}
		is, written := f.seen.Facts.Run[at], unit.File{}
		if written, ok = f.files.Lookup(of + name); !ok {
			continue
		}
		if is.Link != "" {
			if path.Base(is.Link) == path.Base(written.Link) {
				return why
			}
		} else if written.Read != nil {
			if text, err := written.Read(); err == nil && unit.Same(text, is.Text) {
				return why
			}
		}
	}
	return ""
}

// runFile says what a file below one of [runtimes] means to its unit.
func (f *finder) runFile(at, name string) Finding {
	file := f.seen.Facts.Run[at]
	n := Finding{Kind: Unit, Name: path.Base(name), Change: plan.Modified, Path: at, Since: f.seen.Changed[at], Undone: "removes it", Until: nextFullStart}
	n.Remedy = "`rm " + at + "`, then `systemctl daemon-reload`"
	dir := path.Dir(name)
	by, wanted := wanter(dir)
	of, dropIn := strings.CutSuffix(dir, ".d")
	if systemctls := strings.HasPrefix(at, runtimes[0]); systemctls && (wanted || file.Link == "/dev/null") {
		n.Remedy = "" // systemctl undoes what it did, and nothing is lost that anybody wrote
	}
	switch {
	case wanted:
		n.What, n.Undone = "is enabled for this run: "+by+" wants it", "disables it"
	case dropIn:
		n.Name, n.What = of, "has the drop-in "+path.Base(name)
		if set := settings(file.Text); set != "" {
			n.What += ": " + set
		}
	case file.Link == "/dev/null":
		n.What, n.Undone = "is masked for this run", "unmasks it"
	case f.hasUnit(n.Name):
		n.What = "has another unit file for this run"
	default:
		n.Change, n.What = plan.Added, "has a unit file for this run only"
	}
	return n
}

// settings are the lines of a drop-in that set something, the first ones.
func settings(text string) string {
	const most = 3
	var words []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.ContainsRune("#;[", rune(line[0])) {
			continue
		}
		if len(words) == most {
			words = append(words, "…")
			break
		}
		words = append(words, line)
	}
	return strings.Join(words, ", ")
}

// generators are where systemd's generators write units that they make of
// configuration, as systemd-fstab-generator(8) does.
var generators = []string{"/run/systemd/generator.early/", "/run/systemd/generator/", "/run/systemd/generator.late/"}

// hasUnit reports whether a unit of the system's manager is written down: in a
// tree, or in what a generator makes of one.
func (f *finder) hasUnit(name string) bool {
	return f.hasFile(name, unit.SystemPath()) || slices.ContainsFunc(generators, func(dir string) bool {
		_, made := f.seen.Facts.Run[dir+name]
		_, template := f.seen.Facts.Run[dir+unit.FileName(name)]
		return made || template
	})
}

// hasFile reports whether a tree has the file of a unit, in one of the directories.
func (f *finder) hasFile(name string, loadPath []string) bool {
	return slices.ContainsFunc(loadPath, func(dir string) bool {
		_, own := f.files.Lookup(path.Join(dir, name))
		_, template := f.files.Lookup(path.Join(dir, unit.FileName(name)))
		return own || template
	})
}

// hasUserUnit reports whether a unit of users' managers is written down: in a tree,
// or as what is to be started with a session, of which
// systemd-xdg-autostart-generator(8) makes one.
func (f *finder) hasUserUnit(name string) bool {
	if app, ok := strings.CutSuffix(strings.TrimPrefix(name, "app-"), "@autostart.service"); ok {
		_, ok := f.etc.Lookup("/xdg/autostart/" + strings.ReplaceAll(app, `\x2d`, "-") + ".desktop")
		return ok
	}
	return f.hasFile(name, unit.UserPath())
}
