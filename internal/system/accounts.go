package system

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"stet/internal/machine"
	"stet/internal/tree"
)

// account files (passwd(5), shadow(5), group(5), gshadow(5), subuid(5)).
const (
	passwdFile  = "/etc/passwd"
	shadowFile  = "/etc/shadow"
	groupFile   = "/etc/group"
	gshadowFile = "/etc/gshadow"
)

// table is an account file: lines by name, in their order.
type table struct {
	names []string
	lines map[string][]string
}

func parseTable(text string) *table {
	t := &table{lines: map[string][]string{}}
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		t.set(fields)
	}
	return t
}

func (t *table) set(fields []string) {
	if _, ok := t.lines[fields[0]]; !ok {
		t.names = append(t.names, fields[0])
	}
	t.lines[fields[0]] = fields
}

func (t *table) String() string {
	var out strings.Builder
	for _, name := range t.names {
		out.WriteString(strings.Join(t.lines[name], ":") + "\n")
	}
	return out.String()
}

// accounts adds the declared users and groups, and the home directories.
func (c *composer) accounts() error {
	files := map[string]*table{}
	for _, name := range []string{passwdFile, shadowFile, groupFile, gshadowFile} {
		text, err := c.read(name)
		if err != nil {
			return err
		}
		files[name] = parseTable(text)
	}
	for _, name := range sortedKeys(c.Machine.Groups) {
		if err := c.addGroup(files, name); err != nil {
			return err
		}
	}
	for _, name := range sortedKeys(c.Machine.Users) {
		if err := c.addUser(files, name, c.Machine.Users[name]); err != nil {
			return at(err, "users", name)
		}
	}
	for name, t := range files {
		e, ok := c.files.Get(name)
		if !ok {
			return fmt.Errorf("%s is missing: no package made it", name)
		}
		if err := c.putFile(e, []byte(t.String())); err != nil {
			return err
		}
	}
	return nil
}

func (c *composer) addGroup(files map[string]*table, name string) error {
	gid, ok := c.IDs.Groups[name]
	if !ok {
		return fmt.Errorf("group %s has no number in the lock: run \"stet lock\"", name)
	}
	if _, exists := files[groupFile].lines[name]; exists {
		return nil
	}
	files[groupFile].set([]string{name, "x", strconv.Itoa(gid), ""})
	files[gshadowFile].set([]string{name, "!", "", ""})
	return nil
}

func (c *composer) addUser(files map[string]*table, name string, u machine.User) error {
	id, ok := c.IDs.Users[name]
	if !ok {
		return fmt.Errorf("user %s has no number in the lock: run \"stet lock\"", name)
	}
	group := u.Group
	if group == "" {
		group = name
		if err := c.addGroup(files, name); err != nil {
			return err
		}
	}
	if _, ok := files[groupFile].lines[group]; !ok {
		return at(misfit("declare it under groups", "there is no group %s", group), "group")
	}
	gid := files[groupFile].lines[group][2]
	old, existed := files[passwdFile].lines[name]
	line := []string{name, "x", strconv.Itoa(id.UID), gid, u.Description, u.Home, u.Shell}
	if existed && u.Description == "" {
		line[4] = old[4]
	}
	files[passwdFile].set(line)
	if !existed {
		// No password: nobody logs in with one before the user sets it.
		day := strconv.FormatInt(c.Epoch/86400, 10)
		files[shadowFile].set([]string{name, "!", day, "0", "99999", "7", "", "", ""})
	}
	for _, extra := range u.Groups {
		if _, ok := files[groupFile].lines[extra]; !ok {
			return at(misfit("declare it under groups", "there is no group %s", extra), "groups", extra)
		}
		addMember(files[groupFile].lines[extra], name)
		if line, ok := files[gshadowFile].lines[extra]; ok {
			addMember(line, name)
		}
	}
	if u.System || existed {
		return nil
	}
	return c.home(u.Home, uint32(id.UID), gid)
}

// addMember adds a user to the last field of a line of group or gshadow.
func addMember(line []string, user string) {
	members := slices.DeleteFunc(strings.Split(line[3], ","), func(m string) bool { return m == "" })
	if !slices.Contains(members, user) {
		members = append(members, user)
	}
	slices.Sort(members)
	line[3] = strings.Join(members, ",")
}

// home makes a home directory with what /etc/skel has.
func (c *composer) home(dir string, uid uint32, gidText string) error {
	gid, err := strconv.ParseUint(gidText, 10, 32)
	if err != nil {
		return err
	}
	if err := c.put(tree.Entry{Path: dir, Type: tree.Directory, Mode: 0o700, UID: uid, GID: uint32(gid), Mtime: c.mtime}); err != nil {
		return err
	}
	for skel := range c.Rootfs.Below("/etc/skel") {
		e := *skel
		e.Path = path.Join(dir, strings.TrimPrefix(skel.Path, "/etc/skel"))
		e.UID, e.GID = uid, uint32(gid)
		if err := c.put(e); err != nil {
			return err
		}
	}
	return nil
}
