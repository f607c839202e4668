package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/drift"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/tree"
)

// See looks at what a running machine could have otherwise than its system, and
// gives that system.
func (m Machine) See(ctx context.Context) (plan.System, *drift.Seen, error) {
	boot, running, err := m.Running()
	if err != nil {
		return running, nil, err
	}
	around, err := m.look(ctx)
	if err != nil {
		return running, nil, err
	}
	w := around.world
	policy, err := m.Policy(running)
	if err != nil {
		return running, nil, err
	}
	seen := &drift.Seen{}
	if seen.Facts, err = m.gather(boot, running, running, policy); err != nil {
		return running, nil, err
	}
	if err := m.gatherRunning(running, around, seen.Facts); err != nil {
		return running, nil, err
	}
	for _, mounted := range w.mounts() {
		seen.Mounts = append(seen.Mounts, drift.Mounted{Point: mounted.Point, Type: mounted.Type, Source: mounted.Source, Root: mounted.Root, Options: mounted.Options})
	}
	for _, look := range []struct {
		at   string
		look func() error
	}{
		{"when what differs was changed", func() error { return m.changes(boot, seen) }},
		{"accounts", func() error { return m.accounts(running, policy, seen) }},
		{"the kernel", func() error { return m.kernel(running, seen) }},
		{"ports", func() error { return m.ports(running, w, seen) }},
		{"/usr/local, /opt and links in /var", func() error { return m.state(running, seen) }},
		{"cron and at", func() error { return m.schedules(seen) }},
		{"the boot loader", func() error { return m.loader(seen) }},
	} {
		if err := look.look(); err != nil {
			return running, nil, fmt.Errorf("look at %s: %w", look.at, err)
		}
	}
	return running, seen, nil
}

// changes finds out when what differs was changed last: the status of a file, not
// its content, because an old file may have come today. Of what was deleted nothing
// tells: overlayfs notes all that in one inode.
func (m Machine) changes(boot state.Boot, seen *drift.Seen) error {
	upper, err := m.Upper(boot)
	if err != nil {
		return err
	}
	seen.Changed = map[string]time.Time{}
	for _, d := range seen.Facts.Drift {
		if d.Change == plan.Deleted {
			continue
		}
		if at, ok := changed(filepath.Join(upper.Upper(), strings.TrimPrefix(d.Path, "/etc"))); ok {
			seen.Changed[d.Path] = at
		}
	}
	for name := range seen.Facts.Run {
		if at, ok := changed(m.at(name)); ok {
			seen.Changed[name] = at
		}
	}
	return nil
}

// changed is when what is at a path came there, or was changed last.
func changed(name string) (at time.Time, ok bool) {
	var stat unix.Stat_t
	if err := unix.Lstat(name, &stat); err != nil {
		return at, false // it went while we looked
	}
	return time.Unix(stat.Ctim.Unix()).UTC().Truncate(time.Second), true
}

// accounts reads them, and puts what is a user's own to choose back.
func (m Machine) accounts(running plan.System, policy state.Policy, seen *drift.Seen) error {
	etc, err := m.Store.Tree(running.Trees["etc"])
	if err != nil {
		return err
	}
	var was, is state.Accounts
	for name, into := range map[string][2]*[]byte{"passwd": {&was.Passwd, &is.Passwd}, "shadow": {&was.Shadow, &is.Shadow}} {
		if e, ok := etc.Lookup("/" + name); ok && e.Type == tree.Regular {
			if *into[0], err = m.readObject(e.Digest); err != nil {
				return err
			}
		}
		if *into[1], err = m.etcFile(name); err != nil {
			return err
		}
	}
	is = state.MergeAccounts(is, was, policy.Users)
	seen.Passwd = string(is.Passwd)
	seen.Passwords = otherPasswords(string(was.Shadow), string(is.Shadow))
	group, err := m.etcFile("group")
	seen.Group = string(group)
	return err
}

// etcFile reads a file of /etc; one that is gone is empty.
func (m Machine) etcFile(name string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(m.at("etc"), name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// otherPasswords names the users of both texts of shadow(5) whose password
// differs.
func otherPasswords(was, is string) []string {
	declared := passwords(was)
	var names []string
	for name, password := range passwords(is) {
		if before, known := declared[name]; known && before != password {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func passwords(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		f := strings.SplitN(line, ":", 3)
		if _, twice := all[f[0]]; len(f) == 3 && !twice {
			all[f[0]] = f[1]
		}
	}
	return all
}

// userNames are the names of users by their numbers, as the machine has them now.
// Who has none is called by the number.
func (m Machine) userNames() (func(uid uint32) string, error) {
	text, err := m.etcFile("passwd")
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for name, account := range plan.ParseUsers(string(text)) {
		if before, taken := names[account.UID]; !taken || name < before {
			names[account.UID] = name
		}
	}
	return func(uid uint32) string {
		number := strconv.FormatUint(uint64(uid), 10)
		return cmp.Or(names[number], number)
	}, nil
}
