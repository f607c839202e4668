package system

import (
	"stet/internal/debian"
	"stet/internal/machine"
)

// wishes tells the packages that were asked for from those that came along.
type wishes struct {
	packages  map[string]machine.Package // "name" or "name:architecture"
	base      string
	native    string
	installed map[string]bool // names
}

// has reports whether p was asked for, or is in the machine to be what was: a
// wish for a name that only others provide.
func (w wishes) has(p *debian.Package) bool {
	if p.Essential || w.base == machine.BaseStandard && (p.Priority == "required" || p.Priority == "important") {
		return true
	}
	if w.names(p.Name, p.Architecture) {
		return true
	}
	for _, provided := range p.Provides {
		if name := provided[0].Name; !w.installed[name] && w.names(name, p.Architecture) {
			return true
		}
	}
	return false
}

func (w wishes) names(name, architecture string) bool {
	if _, ok := w.packages[name+":"+architecture]; ok {
		return true
	}
	_, ok := w.packages[name]
	return ok && (architecture == w.native || architecture == "all")
}
