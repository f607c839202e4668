package drift

import (
	"maps"
	"slices"
	"strings"

	"stet/internal/plan"
)

// variables tells kernel variables with other values than the system sets.
func (f *finder) variables() {
	for _, name := range slices.Sorted(maps.Keys(f.declared.Sysctl)) {
		is, known := f.seen.Variables[name]
		if was := f.declared.Sysctl[name]; known && !equal(was, is) {
			f.note(Finding{Kind: Variable, Name: name, Change: plan.Modified, What: is + ", declared " + was, Undone: "sets it to " + was, Until: nextFullStart})
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
			f.note(Finding{Kind: Parameter, Name: word, Change: plan.Deleted, Undone: "a reboot gives it", Remedy: "a reboot gives it", Until: nextFullStart})
		}
	}
	for _, word := range given {
		if !slices.Contains(known, word) && !slices.ContainsFunc(stets, func(begin string) bool { return strings.HasPrefix(word, begin) }) {
			f.note(Finding{Kind: Parameter, Name: word, Change: plan.Added, Undone: "a reboot leaves it out", Remedy: "a reboot leaves it out", Until: nextFullStart})
		}
	}
}

// modules tells modules that are not from the kernel's own sources, or not signed,
// and that its tree of modules does not have: somebody brought them. Of all others
// nothing tells who wanted them: the kernel loads most by itself.
func (f *finder) modules() {
	for _, m := range f.seen.Modules {
		if m.Packaged {
			continue
		}
		var words []string
		for _, of := range []struct{ letter, word string }{{"O", "is not of the kernel's sources"}, {"E", "is not signed"}, {"P", "is proprietary"}, {"F", "was loaded by force"}} {
			if strings.Contains(m.Taint, of.letter) {
				words = append(words, of.word)
			}
		}
		words = append(words, "no package of this system has it")
		f.note(Finding{
			Kind: Module, Name: m.Name, Change: plan.Added, What: strings.Join(words, "; "), Undone: "unloads it",
			Remedy: "`modprobe -r " + m.Name + "`, or a reboot", Until: nextFullStart,
		})
	}
}

// stets are the parameters of Stet's own: of its initrd, and those that a boot
// entry has so that a machine comes back (docs/formats/boot.md).
var stets = []string{"stet.", "initrd=", "panic=", "systemd.crash_action="}
