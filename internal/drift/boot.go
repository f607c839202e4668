package drift

import (
	"maps"
	"slices"
	"strings"

	"stet/internal/plan"
)

// espPoint is where a machine has its ESP.
const espPoint = "/efi/"

// boot tells what the boot loader and the firmware read that Stet did not write,
// and variables by which another entry is chosen than the order of entries would
// choose. Nothing of the ESP is undone by itself: it decides whether the machine
// starts.
func (f *finder) boot() {
	for _, file := range f.seen.ESP {
		name := espPoint + file.Path
		n := Finding{Kind: Boot, Name: name, Path: name, Since: file.Changed}
		rewrite := "write what it was, `" + wanted(file) + "`, into it"
		if strings.HasPrefix(strings.ToLower(file.Path), "loader/entries/") {
			rewrite = "`stet boot` writes it anew"
		}
		switch {
		case !file.Known:
			n.Change, n.What, n.Undone, n.Remedy = plan.Added, "Stet did not put it there", "removes it", "`rm -r "+name+"`, if nobody starts by it"
		case file.Text == nil:
			n.Change, n.Undone, n.Remedy = plan.Deleted, "puts it back", rewrite
		case file.Want == nil || *file.Text == *file.Want:
			continue
		default:
			n.Change, n.What, n.Undone, n.Remedy = plan.Modified, "is not what Stet wrote", "puts it back", rewrite
		}
		f.note(n)
	}
	for _, name := range slices.Sorted(maps.Keys(f.seen.Firmware)) {
		n := Finding{
			Kind: Boot, Name: name, Change: plan.Added, What: "the firmware was told to start " + f.seen.Firmware[name],
			Undone: "lets the order of the entries decide", Remedy: "`bootctl set-default \"\"`",
		}
		if name == "LoaderEntryOneShot" {
			n.What += " once"
			n.Remedy, n.Until = "`bootctl set-oneshot \"\"`", nextFullStart
		}
		f.note(n)
	}
}

// wanted is the text of a file in one line.
func wanted(file ESPFile) string {
	if file.Want == nil {
		return ""
	}
	return strings.TrimSpace(*file.Want)
}
