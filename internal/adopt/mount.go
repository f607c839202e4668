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
	var m drift.Mounted
	for _, of := range a.Mounts {
		if of.Point == f.Name {
			m = of // the one on top
		}
	}
	if f.Remedy != "" {
		a.leave(f, "it hides what is declared", f.Remedy)
		return
	}
	flags := slices.DeleteFunc(strings.Split(m.Options, ","), func(o string) bool { return !slices.Contains(mountFlags, o) })
	if m.Type == "tmpfs" && m.Root == "/" {
		a.memory(f, flags)
		return
	}
	if from := a.shown(m); from != "" {
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

// shown gives the directory that a mount shows a second time: that of the machine's own
// mounts of the same file system that is closest.
func (a *adopter) shown(m drift.Mounted) string {
	var best *drift.Mounted
	for i := range a.Mounts {
		of := &a.Mounts[i]
		if of.Point == m.Point || of.Source != m.Source || of.Type != m.Type || !strings.HasPrefix(of.Source, "/dev/") {
			continue
		}
		// All of the store, below /stet, is nobody's to show.
		if of.Root != "/" && (m.Root == of.Root || strings.HasPrefix(m.Root, of.Root+"/")) && (best == nil || len(of.Root) > len(best.Root)) {
			best = of
		}
	}
	if best == nil {
		return ""
	}
	return path.Join(best.Point, strings.TrimPrefix(m.Root, best.Root))
}
