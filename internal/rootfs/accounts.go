package rootfs

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stet/internal/lock"
	"stet/internal/store"
	"stet/internal/tree"
)

// accountFiles is the account database of a root (passwd(5), group(5)).
type accountFiles struct {
	passwd, group, shadow, gshadow [][]string // lines split at ":"
}

func readAccounts(s *store.Store, t *tree.Tree) (*accountFiles, error) {
	a := &accountFiles{}
	for name, file := range map[string]struct {
		lines  *[][]string
		fields int
	}{
		"/etc/passwd": {&a.passwd, 7}, "/etc/group": {&a.group, 4},
		"/etc/shadow": {&a.shadow, 9}, "/etc/gshadow": {&a.gshadow, 4},
	} {
		e, ok := t.Lookup(name)
		if !ok {
			continue
		}
		data, err := s.ReadObject(e.Digest)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
			if len(fields) != file.fields {
				return nil, fmt.Errorf("%s: %q has %d fields, not %d", name, strings.TrimSpace(line), len(fields), file.fields)
			}
			*file.lines = append(*file.lines, fields)
		}
	}
	return a, nil
}

// IDs gives every user and group of a configured tree, with the numbers that
// the scripts happened to choose.
func IDs(s *store.Store, t *tree.Tree) (lock.IDs, error) {
	a, err := readAccounts(s, t)
	if err != nil {
		return lock.IDs{}, err
	}
	return a.ids()
}

func (a *accountFiles) ids() (lock.IDs, error) {
	ids := lock.IDs{Users: map[string]lock.User{}, Groups: map[string]int{}}
	for _, line := range a.group {
		gid, err := strconv.Atoi(line[2])
		if err != nil {
			return ids, fmt.Errorf("/etc/group: %s: %w", line[0], err)
		}
		ids.Groups[line[0]] = gid
	}
	for _, line := range a.passwd {
		uid, err := strconv.Atoi(line[2])
		if err != nil {
			return ids, fmt.Errorf("/etc/passwd: %s: %w", line[0], err)
		}
		gid, err := strconv.Atoi(line[3])
		if err != nil {
			return ids, fmt.Errorf("/etc/passwd: %s: %w", line[0], err)
		}
		ids.Users[line[0]] = lock.User{UID: uid, GID: gid, Kind: lock.System}
	}
	return ids, nil
}

// MissingIDError says that a script made an account that the ledger of the
// lock does not know.
type MissingIDError struct {
	Kind     string // "user" or "group"
	Name     string
	Packages []string // whose scripts or sysusers.d files name it
}

// Error implements error.
func (e *MissingIDError) Error() string {
	by := "a package"
	if len(e.Packages) > 0 {
		by = "package " + strings.Join(e.Packages, " or ")
	}
	return fmt.Sprintf("%s makes the %s %s, which has no number in the ledger of stet.lock: run \"stet lock\"", by, e.Kind, e.Name)
}

// numbers are translations from what scripts chose to what the ledger says.
type numbers struct{ users, groups map[uint32]uint32 }

func translate(found, ledger lock.IDs) (numbers, error) {
	n := numbers{users: map[uint32]uint32{}, groups: map[uint32]uint32{}}
	for _, name := range sortedKeys(found.Users) {
		want, ok := ledger.Users[name]
		if !ok {
			return n, &MissingIDError{Kind: "user", Name: name}
		}
		n.users[uint32(found.Users[name].UID)] = uint32(want.UID)
	}
	for _, name := range sortedKeys(found.Groups) {
		want, ok := ledger.Groups[name]
		if !ok {
			return n, &MissingIDError{Kind: "group", Name: name}
		}
		n.groups[uint32(found.Groups[name])] = uint32(want)
	}
	return n, nil
}

func lookupID(table map[uint32]uint32, id uint32) uint32 {
	if other, ok := table[id]; ok {
		return other
	}
	return id
}

// renumber gives every user and group the number that the ledger has for its
// name, in the account files and on every entry. So the order in which the
// scripts made them, and which numbers were free, leaves no trace.
func renumber(s *store.Store, t *tree.Tree, ledger lock.IDs, epoch int64) (*tree.Tree, error) {
	a, err := readAccounts(s, t)
	if err != nil {
		return nil, err
	}
	found, err := a.ids()
	if err != nil {
		return nil, err
	}
	n, err := translate(found, ledger)
	if err != nil {
		return nil, err
	}
	b := tree.NewBuilder()
	for e := range t.All() {
		entry := *e
		entry.UID, entry.GID = lookupID(n.users, e.UID), lookupID(n.groups, e.GID)
		b.Put(entry)
	}
	a.renumber(n, epoch)
	for name, lines := range map[string][][]string{
		"/etc/passwd": a.passwd, "/etc/group": a.group, "/etc/shadow": a.shadow, "/etc/gshadow": a.gshadow,
	} {
		entry, ok := b.Get(name)
		if !ok {
			continue
		}
		text := joinLines(lines)
		if entry.Digest, err = s.PutBytes(text); err != nil {
			return nil, err
		}
		entry.Size = int64(len(text))
		b.Put(entry)
	}
	return b.Tree()
}

// renumber sorts the lines by number, and the shadow files as the others.
func (a *accountFiles) renumber(n numbers, epoch int64) {
	place := func(lines [][]string, column int, table map[uint32]uint32) {
		for _, line := range lines {
			if id, err := strconv.ParseUint(line[column], 10, 32); err == nil {
				line[column] = strconv.FormatUint(uint64(lookupID(table, uint32(id))), 10)
			}
		}
	}
	place(a.passwd, 2, n.users)
	place(a.passwd, 3, n.groups)
	place(a.group, 2, n.groups)
	rank := func(lines [][]string) map[string]int {
		slices.SortFunc(lines, func(a, b []string) int {
			x, _ := strconv.Atoi(a[2])
			y, _ := strconv.Atoi(b[2])
			return cmp.Or(cmp.Compare(x, y), strings.Compare(a[0], b[0]))
		})
		ranks := map[string]int{}
		for i, line := range lines {
			ranks[line[0]] = i
		}
		return ranks
	}
	follow := func(lines [][]string, ranks map[string]int) {
		slices.SortFunc(lines, func(a, b []string) int {
			return cmp.Or(cmp.Compare(ranks[a[0]], ranks[b[0]]), strings.Compare(a[0], b[0]))
		})
	}
	follow(a.shadow, rank(a.passwd))
	follow(a.gshadow, rank(a.group))
	for _, line := range a.group {
		line[3] = sortedMembers(line[3])
	}
	for _, line := range a.gshadow {
		line[3] = sortedMembers(line[3])
	}
	for _, line := range a.shadow {
		if line[2] != "" {
			line[2] = strconv.FormatInt(epoch/86400, 10) // the day of the last change
		}
	}
}

func sortedMembers(list string) string {
	members := strings.Split(list, ",")
	slices.Sort(members)
	return strings.Join(slices.Compact(members), ",")
}

func joinLines(lines [][]string) []byte {
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(strings.Join(line, ":"))
		out.WriteByte('\n')
	}
	return []byte(out.String())
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
