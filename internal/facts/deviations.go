package facts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/drift"
	"stet/internal/plan"
	"stet/internal/state"
	"stet/internal/tree"
)

// See looks at what a running machine could have otherwise than its system, and
// gives that system.
func (m Machine) See(ctx context.Context) (plan.System, *drift.Seen, error) {
	_, running, err := m.Running()
	if err != nil {
		return running, nil, err
	}
	seen := &drift.Seen{}
	if seen.Facts, err = m.Gather(ctx, running); err != nil {
		return running, nil, err
	}
	if err := m.accounts(running, seen); err != nil {
		return running, nil, fmt.Errorf("look at accounts: %w", err)
	}
	declared, err := plan.ReadDeclared(m.Store, running)
	if err != nil {
		return running, nil, err
	}
	if seen.Variables, err = m.variables(slices.Collect(maps.Keys(declared.Sysctl))); err != nil {
		return running, nil, err
	}
	text, err := os.ReadFile(m.at("proc/cmdline"))
	seen.CommandLine = strings.TrimSpace(string(text))
	return running, seen, err
}

// accounts reads them, and puts what is a user's own to choose back.
func (m Machine) accounts(running plan.System, seen *drift.Seen) error {
	policy, err := m.Policy(running)
	if err != nil {
		return err
	}
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

// variables reads kernel variables; those that this kernel does not have, or that
// nobody may read, are left out, and so are patterns.
func (m Machine) variables(names []string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range names {
		// A dot between the parts is a slash, and a slash in one is a dot (sysctl.d(5)).
		at := m.at(filepath.Join("proc/sys", strings.NewReplacer(".", "/", "/", ".").Replace(name)))
		text, err := os.ReadFile(at)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			continue
		case err != nil:
			return nil, fmt.Errorf("read the kernel variable %s: %w", name, err)
		}
		values[name] = strings.Join(strings.Fields(string(text)), " ")
	}
	return values, nil
}
