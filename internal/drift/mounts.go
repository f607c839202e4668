package drift

import (
	"path"
	"slices"
	"strings"

	"stet/internal/plan"
	"stet/internal/unit"
)

// own are the mounts that the initrd makes: by their points, whether a mount is
// that.
var own = map[string]func(Mounted) bool{
	"/":    func(m Mounted) bool { return m.Type == "tmpfs" },
	"/usr": func(m Mounted) bool { return strings.HasPrefix(m.Source, "stet:usr:") },
	"/etc": func(m Mounted) bool { return strings.HasPrefix(m.Source, "stet:etc:") },
	"/var": ofState, "/home": ofState, "/root": ofState, "/srv": ofState, "/opt": ofState,
	"/stet": func(m Mounted) bool { return m.Root == "/" && strings.HasPrefix(m.Source, "/dev/") },
}

func ofState(m Mounted) bool { return m.Root == "/state"+m.Point }

// kernels are the places of file systems without a device, and the types that
// belong there: systemd mounts them, or who asks the kernel for something.
var kernels = map[string][]string{
	"/proc": {"proc", "binfmt_misc", "nfsd"},
	"/sys":  {"sysfs", "securityfs", "cgroup", "cgroup2", "pstore", "efivarfs", "bpf", "debugfs", "tracefs", "configfs", "fusectl", "selinuxfs"},
	"/dev":  {"devtmpfs", "devpts", "mqueue", "hugetlbfs"},
}

// systemds are mounts that systemd and Stet make while the machine runs, as
// patterns of points.
var systemds = []string{
	"/run", "/run/lock", "/run/user/*", "/run/credentials/*", "/run/stet/**", "/run/systemd/**", "/dev/shm",
}

// mounts tells mounts that nobody declared, and all that hide something of what is
// declared.
func (f *finder) mounts() {
	found := map[string]bool{} // of the initrd's own
	for _, m := range f.seen.Mounts {
		is, mine := own[m.Point]
		if mine && is(m) && !found[m.Point] {
			found[m.Point] = true
			continue
		}
		hides := mine || below(m.Point, "/usr") || below(m.Point, "/etc")
		if !hides && f.isMounted(m) {
			continue
		}
		n := Finding{Kind: Mount, Name: m.Point, Path: m.Point, Change: plan.Added, What: describeMount(m), Undone: "unmounts it", Until: nextFullStart}
		if hides {
			// systemd unmounts a point until nothing is mounted there, the declared as
			// well; and while something is mounted in a tree, no other takes its place.
			n.What += ", over what is declared"
			n.Remedy = "`umount " + m.Point + "`"
		} else {
			n.What += ", declared nowhere"
			n.Stops = unit.Escape(m.Point) + ".mount"
		}
		f.noteOf(n, m.Type)
	}
}

func describeMount(m Mounted) string {
	words := m.Source
	if m.Root != "/" {
		words = m.Root + " of " + m.Source
	}
	if m.Type != m.Source {
		words += " (" + m.Type + ")"
	}
	return words
}

// isMounted reports whether a mount is the kernel's or systemd's own, or one that
// is written down.
func (f *finder) isMounted(m Mounted) bool {
	for place, types := range kernels {
		if below(m.Point, place) && slices.Contains(types, m.Type) {
			return true
		}
	}
	if slices.ContainsFunc(systemds, func(pattern string) bool { return matches(pattern, m.Point) }) {
		return true
	}
	for point := m.Point; ; point = path.Dir(point) {
		if f.isAutomount(point) {
			return true
		}
		if point == "/" {
			break
		}
	}
	return f.hasUnit(unit.Escape(m.Point) + ".mount")
}

// isAutomount reports whether something mounts at a point, or below it, when
// somebody looks: autofs(5), whoever runs it, and a unit that is written down.
func (f *finder) isAutomount(point string) bool {
	if !slices.ContainsFunc(f.seen.Mounts, func(m Mounted) bool { return m.Point == point && m.Type == "autofs" }) {
		return false
	}
	_, byHand := f.seen.Facts.Run[transient+unit.Escape(point)+".automount"]
	return !byHand
}

// below reports whether name is place or below it.
func below(name, place string) bool { return name == place || strings.HasPrefix(name, place+"/") }

// matches compares with a pattern of path.Match, or one that ends with /** and
// stands for all below.
func matches(pattern, name string) bool {
	if place, ok := strings.CutSuffix(pattern, "/**"); ok {
		return strings.HasPrefix(name, place+"/")
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
