package adopt

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/drift"
	"stet/internal/edit"
)

// mountFlags are the options of a mount that are not as without any.
var mountFlags = []string{"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "strictatime"}

// mount adopts what somebody mounted: a device by a name that it has at the next start,
// a directory that is shown elsewhere, a file system in memory.
func (a *adopter) mount(f drift.Finding) {
	at := len(a.Mounts) - 1 // that on top
	for at >= 0 && a.Mounts[at].Point != f.Name {
		at--
	}
	switch {
	case at < 0:
		return // it went while we looked
	case f.Remedy != "":
		a.leave(f, "it hides what is declared", f.Remedy)
		return
	}
	m := a.Mounts[at]
	flags := slices.DeleteFunc(strings.Split(m.Options, ","), func(o string) bool { return !slices.Contains(mountFlags, o) })
	if m.Type == "tmpfs" && m.Root == "/" {
		a.memory(f, flags)
		return
	}
	if from := shown(m, a.Mounts[:at]); from != "" {
		a.declareMount(f.Name, from, "none", append([]string{"bind"}, flags...))
		return
	}
	if strings.HasPrefix(m.Source, "/dev/") && m.Root == "/" {
		if what := a.Lasting(m.Source); what != "" {
			// A machine without the device has to start, too.
			a.declareMount(f.Name, what, m.Type, append([]string{"nofail"}, flags...))
			return
		}
	}
	a.leave(f, "how it is to be found at the next start is not known", "declare it: storage.mounts has the path, and the file system by its UUID or label")
}

func (a *adopter) declareMount(point, what, kind string, options []string) {
	option := []string{"storage", "mounts", point}
	a.change(edit.Set(option, edit.Map{{Key: "what", Value: edit.String(what)}, {Key: "type", Value: edit.String(kind)}}))
	a.mountOptions(option, options)
}

// memory adopts a file system in memory, which has no devices and no set-id programs by
// itself.
func (a *adopter) memory(f drift.Finding, flags []string) {
	size, mode, err := a.Memory(f.Name)
	if err != nil {
		a.leave(f, fmt.Sprintf("it cannot be read: %v", err), "")
		return
	}
	m := edit.Map{}
	if size != "" {
		m = append(m, edit.Entry{Key: "size", Value: edit.String(size)})
	}
	if text := fmt.Sprintf("%04o", mode); text != "0755" {
		m = append(m, edit.Entry{Key: "mode", Value: edit.String(text)})
	}
	option := []string{"storage", "tmpfs", f.Name}
	a.change(edit.Set(option, m))
	a.mountOptions(option, slices.DeleteFunc(flags, func(o string) bool { return o == "nosuid" || o == "nodev" }))
}

func (a *adopter) mountOptions(option, names []string) {
	for _, name := range names {
		a.change(edit.Add(append(slices.Clone(option), "options"), name))
	}
}

// shown gives the directory that a mount shows a second time: that of the mounts before
// it of the same file system which is closest.
func shown(m drift.Mounted, before []drift.Mounted) string {
	directory, longest := "", 0
	for _, of := range before {
		below, ok := strings.CutPrefix(m.Root, strings.TrimSuffix(of.Root, "/"))
		if !ok || below != "" && below[0] != '/' || len(of.Root) < longest {
			continue
		}
		// A name of a file system in memory says nothing, and all of the store is nobody's
		// to show.
		if of.Source == m.Source && of.Type == m.Type && strings.HasPrefix(of.Source, "/dev/") && of.Point != storePoint {
			directory, longest = path.Join(of.Point, below), len(of.Root)
		}
	}
	return directory
}

// storePoint is where a machine has all of its store.
const storePoint = "/stet"
