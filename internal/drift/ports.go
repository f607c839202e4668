package drift

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/plan"
)

// ports tells programs by which the machine can be reached and that nobody
// declared: those of a unit that no tree has, and those of no unit, as of a
// session. What a declared unit opens is its own matter. Of sockets that the kernel
// has itself, as for WireGuard or NFS, nothing tells who wanted them.
func (f *finder) ports() {
	type place struct {
		name string
		pid  int
	}
	told := map[place]int{} // on several addresses: once
	for _, s := range f.seen.Sockets {
		if len(s.Holders) == 0 || slices.ContainsFunc(s.Holders, f.isDeclared) {
			continue
		}
		p := slices.MinFunc(s.Holders, func(a, b Process) int { return a.PID - b.PID })
		at := place{fmt.Sprintf("%d/%s", s.Port, s.Protocol), p.PID}
		i, known := told[at]
		if !known {
			i = len(f.found)
			told[at] = i
			f.noteOf(f.port(at.name, p), p.Program)
		}
		if !s.Address.IsLoopback() {
			f.found[i].What = strings.TrimSuffix(f.found[i].What, onlyHere)
		} else if !known {
			f.found[i].What += onlyHere
		}
	}
}

const onlyHere = "; only this machine reaches it"

// port says who holds one.
func (f *finder) port(name string, p Process) Finding {
	n := Finding{Kind: Port, Name: name, Change: plan.Added, Since: p.Since, What: p.Name + " of " + p.User, Until: nextFullStart}
	if !p.Packaged {
		n.What += " (" + p.Program + ")"
	}
	n.Undone, n.Remedy = "ends the program", fmt.Sprintf("`kill %d`", p.PID)
	switch {
	case p.UserUnit != "" && !strings.HasSuffix(p.UserUnit, ".slice"):
		n.What += ", in " + p.UserUnit + " of the user's own"
	case strings.HasPrefix(p.Unit, "session-") || isLogin(p.Unit):
		n.What += ", started by hand"
	case strings.HasSuffix(p.Unit, ".scope"): // of a container or a virtual machine, say
		n.What += ", in " + p.Unit
		n.Undone, n.Remedy = "stops "+p.Unit, "`systemctl stop "+p.Unit+"`"
	case strings.HasSuffix(p.Unit, ".service"):
		n.What += ", in " + p.Unit
		n.Unit = p.Unit
		if _, byHand := f.seen.Facts.Run[transient+p.Unit]; byHand {
			n.Undone, n.Remedy, n.Stops = "stops "+p.Unit, "", p.Unit
		}
	}
	return n
}

// isDeclared reports whether a program is of a unit that is written down. The
// managers hold sockets for such units: those of socket units.
func (f *finder) isDeclared(p Process) bool {
	switch {
	case p.Unit == "init.scope" || p.UserUnit == "init.scope":
		return true
	case strings.HasPrefix(p.Unit, "user@"):
		return f.hasUserUnit(p.UserUnit)
	case strings.HasSuffix(p.Unit, ".slice"), isLogin(p.Unit):
		return false
	}
	return f.hasUnit(p.Unit)
}

// isLogin reports whether a unit is that of a prompt: where no session is made of
// a login, what people start is in it.
func isLogin(name string) bool {
	ok, err := path.Match("*getty*.service", name)
	return ok && err == nil
}
