package unit

import (
	"slices"
	"strings"
)

// Link is a symlink below /etc/systemd/system.
type Link struct{ Path, Target string }

// InstallLinks gives the links that "systemctl enable" would make for the
// unit called name, whose file is at path, and the further units it asks for
// with Also=. It follows systemd.unit(5), "[INSTALL] SECTION OPTIONS".
func (u *Unit) InstallLinks(name, path string) (links []Link, also []string) {
	instance := name
	if prefix, suffix, ok := strings.Cut(name, "@."); ok {
		if def := u.List("Install", "DefaultInstance"); len(def) > 0 {
			instance = prefix + "@" + def[0] + "." + suffix
		}
	}
	for _, kind := range []struct{ key, dir string }{{"WantedBy", ".wants/"}, {"RequiredBy", ".requires/"}, {"UpheldBy", ".upholds/"}} {
		for _, target := range u.List("Install", kind.key) {
			links = append(links, Link{target + kind.dir + instance, path})
		}
	}
	for _, alias := range u.List("Install", "Alias") {
		links = append(links, Link{alias, path})
	}
	slices.SortFunc(links, func(a, b Link) int { return strings.Compare(a.Path, b.Path) })
	return links, u.List("Install", "Also")
}
