package system

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/machine"
	"stet/internal/tree"
	"stet/internal/unit"
)

// etcUnits is where the administrator's units are (systemd.unit(5)).
const etcUnits = "/etc/systemd/system/"

// unitPaths are searched for a unit's file, first to last.
var unitPaths = []string{etcUnits, "/usr/local/lib/systemd/system/", "/usr/lib/systemd/system/"}

// units writes declared units and drop-ins first, and enables then, so that
// one unit may be enabled through another's Also=.
func (c *composer) units() error {
	names := sortedKeys(c.Machine.Units)
	for _, name := range names {
		if err := c.unitFiles(name, c.Machine.Units[name]); err != nil {
			return at(err, "units", name)
		}
	}
	for _, name := range names {
		u := c.Machine.Units[name]
		if u.Enable == nil {
			continue
		}
		c.disable(name)
		if *u.Enable {
			if err := c.enable(name, map[string]bool{}); err != nil {
				return at(err, "units", name, "enable")
			}
		}
	}
	return nil
}

func (c *composer) unitFiles(name string, u machine.Unit) error {
	if u.Mask {
		return c.putLink(etcUnits+name, "/dev/null")
	}
	if u.Text != "" {
		if _, err := unit.Parse(u.Text); err != nil {
			return at(misfit("", "%s", err), "text")
		}
		if err := c.putText(etcUnits+name, u.Text, 0o644); err != nil {
			return err
		}
	}
	for _, dropIn := range sortedKeys(u.DropIns) {
		if _, err := unit.Parse(u.DropIns[dropIn]); err != nil {
			return at(misfit("", "%s", err), "drop_ins", dropIn)
		}
		if err := c.putText(etcUnits+name+".d/"+dropIn+".conf", u.DropIns[dropIn], 0o644); err != nil {
			return err
		}
	}
	return nil
}

// findUnit gives the path of the file that a unit comes from, with symlinks
// of units followed.
func (c *composer) findUnit(name string) (string, bool) {
	for _, candidate := range []string{name, unit.FileName(name)} {
		for _, dir := range unitPaths {
			at := dir + candidate
			for range 8 {
				e, ok := c.files.Get(at)
				if !ok {
					break
				}
				if e.Type == tree.Regular {
					return at, true
				}
				at = path.Join(path.Dir(at), e.Target)
				if strings.HasPrefix(e.Target, "/") {
					at = e.Target
				}
				// deb-systemd-helper links so where it runs before systemd is there.
				if strings.HasPrefix(at, "/lib/") {
					at = "/usr" + at
				}
			}
		}
	}
	return "", false
}

// enable makes the links that the unit's [Install] section asks for.
func (c *composer) enable(name string, seen map[string]bool) error {
	if seen[name] {
		return nil
	}
	seen[name] = true
	file, ok := c.findUnit(name)
	if !ok {
		return misfit("add the package, or the text", "no package ships %s and no text declares it", name)
	}
	text, err := c.read(file)
	if err != nil {
		return err
	}
	parsed, err := unit.Parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	links, also := parsed.InstallLinks(name, file)
	if len(links) == 0 && len(also) == 0 {
		return misfit("leave \"enable\" out, or add WantedBy=", "%s has no [Install] section, so that there is nothing to enable", file)
	}
	for _, l := range links {
		if err := c.putLink(etcUnits+l.Path, l.Target); err != nil {
			return err
		}
	}
	for _, other := range also {
		if err := c.enable(other, seen); err != nil {
			return err
		}
	}
	return nil
}

// disable takes away every link that starts the unit at boot.
func (c *composer) disable(name string) {
	var gone []string
	for _, e := range c.files.Below(etcUnits) {
		if e.Type != tree.Symlink || e.Target == "/dev/null" {
			continue
		}
		dir, base := path.Split(strings.TrimPrefix(e.Path, etcUnits))
		isWish := slices.Contains([]string{".wants", ".requires", ".upholds"}, path.Ext(strings.TrimSuffix(dir, "/")))
		if isWish && base == name || dir == "" && base != name && path.Base(e.Target) == name {
			gone = append(gone, e.Path)
		}
	}
	for _, name := range gone {
		c.files.Remove(name)
	}
}
