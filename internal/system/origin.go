package system

import (
	"path"
	"strings"

	"stet/internal/residue"
)

// Origin gives the path in the composed root that an entry of one of the trees
// came from: the other way round to [Split]. Trees are named as the manifest
// names them.
func Origin(table *residue.Table, name, entry string) string {
	switch name {
	case "etc":
		return path.Join("/etc", entry)
	case "modules":
		return path.Join("/usr", entry)
	case "var":
		if below, ok := strings.CutPrefix(entry, "/var/usrlocal"); ok {
			return "/usr/local" + below
		}
		return entry
	case "usr":
	default:
		return entry
	}
	for _, rule := range table.Rules {
		place := strings.TrimPrefix(rule.Place, "/usr")
		if below, ok := strings.CutPrefix(entry, place+"/"); ok && place != "" && len(rule.Patterns) == 1 {
			return rule.Patterns[0] + below
		}
	}
	for place, origin := range map[string]string{bootPlace: "/boot", varPlace: "/var", filesPlace: "", optPlace: "/opt"} {
		if below, ok := strings.CutPrefix(entry, place+"/"); ok {
			return origin + "/" + below
		}
	}
	return path.Join("/usr", entry)
}
