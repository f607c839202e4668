package adopt

import (
	"path"
	"regexp"
	"strings"

	"stet/internal/drift"
	"stet/internal/edit"
	"stet/internal/plan"
	"stet/internal/tree"
	"stet/internal/unit"
)

// Where systemd has unit files (systemd.unit(5)): those that a configuration writes,
// those of this run of the machine, which also systemctl set-property writes, and those
// that programs make of nothing written down.
const (
	etcUnits       = "/etc/systemd/system/"
	runUnits       = "/run/systemd/system/"
	controlUnits   = "/run/systemd/system.control/"
	transientUnits = "/run/systemd/transient/"
)

// Names that an option can have, as in the schema.
var (
	unitName   = regexp.MustCompile(`^[A-Za-z0-9:_.@\\-]+\.(service|socket|target|timer|path|mount|automount|swap|slice)$`)
	dropInName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@:-]*$`)
)

// textOption is the option that has the text of a file below a directory of units.
func textOption(name string) (option []string, ok bool) {
	if unitName.MatchString(name) {
		return []string{"units", name, "text"}, true
	}
	of, isDropIn := strings.CutSuffix(path.Dir(name), ".d")
	base, isRead := strings.CutSuffix(path.Base(name), ".conf")
	return []string{"units", of, "drop_ins", base}, isDropIn && isRead && unitName.MatchString(of) && dropInName.MatchString(base)
}

// unitFile adopts the file of a unit, or a drop-in, as what it is to its unit, and
// reports whether an option can have it.
func (a *adopter) unitFile(f drift.Finding, d plan.Drifted) bool {
	name, ok := strings.CutPrefix(d.Path, etcUnits)
	if !ok {
		return false
	}
	option, ok := textOption(name)
	if !ok {
		return false
	}
	owner := a.Owner(option...)
	if d.Change == plan.Deleted {
		return a.unitFileGone(f, option, owner)
	}
	text, why := a.unitText(d)
	switch {
	case why == "" && owner == Module:
		a.otherwise(f, "a module writes it", "`stet why "+option[1]+"` says which; units."+option[1]+".drop_ins has more of your own")
		a.change(edit.Set(option, edit.String(text)))
	case why == "":
		a.change(edit.Set(option, edit.String(text)))
	case owner != Nobody:
		a.leave(f, why, "`stet undo "+d.Path+"` puts back what is declared")
	default:
		return false
	}
	return true
}

// unitText gives the text of a unit's file as an option takes it, or why none does.
func (a *adopter) unitText(d plan.Drifted) (text, why string) {
	if d.Type != tree.Regular.String() || d.Mode != 0o644 || d.UID != 0 || d.GID != 0 {
		return "", "the file of a unit is root's, and everybody may read it"
	}
	content, err := a.Read(d.Path)
	switch {
	case err != nil:
		return "", "it cannot be read: " + err.Error()
	case len(content) == 0 || !isText(content):
		return "", "it is no text of a unit"
	}
	if _, err := unit.Parse(string(content)); err != nil {
		return "", "systemd does not understand it: " + err.Error()
	}
	return string(content), ""
}

// unitFileGone adopts that somebody took a file away, or what masked a unit.
func (a *adopter) unitFileGone(f drift.Finding, option []string, owner Owner) bool {
	declared := a.Declared.Units[option[1]]
	switch masks := option[:2:2]; {
	case declared.Mask && option[2] == "text" && a.Owner(append(masks, "mask")...) == Person:
		a.change(edit.Set(append(masks, "mask"), edit.Bool(false)))
	case owner == Nobody:
		return false // of a package
	case owner == Module:
		a.leave(f, "a module writes it", "`stet why "+option[1]+"` says which")
	case option[2] == "text":
		a.change(edit.Remove(option[:2])) // without it, nothing else says what the unit is
	default:
		a.change(edit.Remove(option))
	}
	return true
}

// unit adopts what systemctl(1) did, and units that are written down nowhere. The unit
// that a link in /etc is about may be an instance or an alias: the name is that of the
// link.
func (a *adopter) unit(f drift.Finding) {
	option := func(name string) []string { return []string{"units", f.Name, name} }
	switch link := a.Drifted[f.Path]; {
	case strings.HasPrefix(f.Path, "/run/"):
		a.runFile(f)
	case f.Path == "" && f.Stops != "":
		a.transient(f)
	case f.Path == "":
		a.leave(f, "a failure is nothing to declare", "`systemctl status "+f.Name+"` says what is wrong")
	case link.Target == "/dev/null":
		a.change(edit.Set(option("mask"), edit.Bool(true)))
	default:
		a.change(edit.Set(option("enable"), edit.Bool(link.Change == plan.Added)))
	}
}

// runFile adopts for good what was said for this run of the machine.
func (a *adopter) runFile(f drift.Finding) {
	name, ok := strings.CutPrefix(f.Path, runUnits)
	if !ok {
		name, ok = strings.CutPrefix(f.Path, controlUnits)
	}
	file := a.Run[f.Path]
	if !ok {
		a.leave(f, "no option stands for units of users' managers, and of portable services", "declare files./etc/systemd/user/NAME, or a package that has it")
		return
	}
	option, isText := textOption(name)
	switch ext := path.Ext(path.Dir(name)); {
	case file.Link == "/dev/null" && isText:
		a.change(edit.Set([]string{"units", f.Name, "mask"}, edit.Bool(true)))
	case file.Link != "" && (ext == ".wants" || ext == ".requires" || ext == ".upholds"):
		a.change(edit.Set([]string{"units", f.Name, "enable"}, edit.Bool(true)))
	case file.Link != "" || !isText:
		a.leave(f, "it lasts only until the next start, and no option stands for it", "declare it: units."+f.Name+" has text, drop_ins, enable and mask")
	default:
		text := withoutHead(file.Text)
		if _, err := unit.Parse(text); err != nil || text == "" {
			a.leave(f, "it says nothing that a configuration can have", f.Remedy)
			return
		}
		a.change(edit.Set(option, edit.String(text)))
	}
}

// transient adopts a unit that was made while the machine ran: it starts at boot, then.
// What a timer starts was made with it.
func (a *adopter) transient(f drift.Finding) {
	text, target := withoutHead(a.Run[transientUnits+f.Name].Text), "multi-user.target"
	if strings.HasSuffix(f.Name, ".timer") {
		target = "timers.target"
	}
	if text == "" || !unitName.MatchString(f.Name) {
		a.leave(f, "nobody knows how it was started", "declare a unit of your own: units."+f.Name+".text")
		return
	}
	if _, err := unit.Parse(text); err != nil {
		a.leave(f, "it is no text of a unit: "+err.Error(), "declare a unit of your own: units."+f.Name+".text")
		return
	}
	text += "\n[Install]\nWantedBy=" + target + "\n"
	a.change(edit.Set([]string{"units", f.Name}, edit.Map{{Key: "enable", Value: edit.Bool(true)}, {Key: "text", Value: edit.String(text)}}))
	if of, ok := strings.CutSuffix(f.Name, ".timer"); ok {
		if text := withoutHead(a.Run[transientUnits+of+".service"].Text); text != "" {
			a.change(edit.Set([]string{"units", of + ".service", "text"}, edit.String(text)))
		}
	}
}

// withoutHead takes off the comments at the begin of a text: systemd says there that
// nobody should edit it.
func withoutHead(text string) string {
	for strings.HasPrefix(text, "#") || strings.HasPrefix(text, "\n") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}
