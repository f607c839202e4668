package system

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"stet/internal/machine"
	"stet/internal/tree"
)

// timezone links /etc/localtime (localtime(5)) and names the zone for those
// who read /etc/timezone.
func (c *composer) timezone() error {
	zone := c.Machine.Timezone
	target := "/usr/share/zoneinfo/" + zone
	if _, ok := c.files.Get(target); !ok {
		if zone != "Etc/UTC" {
			return &Misfit{
				Option: []string{"timezone"}, Problem: fmt.Sprintf("%q is no zone of the package tzdata", zone), Remedy: "timedatectl list-timezones names them all",
				Value: zone, Known: filesBelow(c.Rootfs, "/usr/share/zoneinfo"),
			}
		}
		c.files.Remove("/etc/localtime") // without it, the time is UTC
		return nil
	}
	if err := c.putLink("/etc/localtime", target); err != nil {
		return err
	}
	return c.putText("/etc/timezone", zone+"\n", 0o644)
}

// sysctl writes the declared kernel variables (sysctl.d(5)), late enough in
// the order of names to win over what packages ship.
func (c *composer) sysctl() error {
	if len(c.Machine.Sysctl) == 0 {
		return nil
	}
	var text strings.Builder
	for _, name := range sortedKeys(c.Machine.Sysctl) {
		fmt.Fprintf(&text, "%s = %s\n", name, c.Machine.Sysctl[name])
	}
	return c.putText("/etc/sysctl.d/99-stet.conf", text.String(), 0o644)
}

// declaredFiles lays the machine's files. Parents come before what is in
// them, because paths are sorted.
func (c *composer) declaredFiles() error {
	for _, name := range sortedKeys(c.Machine.Files) {
		if err := c.declaredFile(name, c.Machine.Files[name]); err != nil {
			return at(err, "files", name)
		}
	}
	return nil
}

func (c *composer) declaredFile(name string, f machine.File) error {
	switch f.Kind {
	case machine.FileAbsent:
		c.files.Remove(name)
		return nil
	case machine.FileLink:
		return c.putLink(name, f.Link)
	}
	uid, gid, err := c.owner(f.User, f.Group)
	if err != nil {
		return err
	}
	e := tree.Entry{Path: name, Mode: f.Mode, UID: uid, GID: gid, Mtime: c.mtime}
	switch f.Kind {
	case machine.FileDirectory:
		e.Type = tree.Directory
		return c.put(e)
	case machine.FileText:
		return c.putFile(e, []byte(f.Text))
	case machine.FileSource:
		return c.sourceFile(e, f.Source)
	}
	return fmt.Errorf("unknown kind of file %q", f.Kind)
}

// sourceFile streams a file of the repository into the store.
func (c *composer) sourceFile(e tree.Entry, source string) error {
	file, err := c.Sources.Open(source)
	if err != nil {
		return fmt.Errorf("read its source: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || info.Mode()&fs.ModeType != 0 {
		return fmt.Errorf("its source %s is no regular file", source)
	}
	if e.Digest, e.Size, err = c.store.Put(file); err != nil {
		return fmt.Errorf("read its source: %w", err)
	}
	e.Type = tree.Regular
	return c.put(e)
}

// updateMarks say that /etc and /var fit the /usr that is there, so that no
// unit regenerates anything at boot (systemd-update-done.service(8)).
func (c *composer) updateMarks() error {
	text := fmt.Sprintf("# Stet made /etc and /var together with /usr.\nTIMESTAMP_NSEC=%d000000000\n", c.Epoch)
	for _, name := range []string{"/etc/.updated", "/var/.updated"} {
		if err := c.putText(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
