package system

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stet/internal/residue"
	"stet/internal/state"
)

// identityUnit makes what of the machine's identity is missing, at any boot.
const identityUnit = "stet-identity.service"

// identity writes the unit, when there is an identity that programs make.
func (c *composer) identity() error {
	rules, err := c.rules(residue.Identity, residue.Made)
	if err != nil {
		return err
	}
	var conditions, commands strings.Builder
	for _, r := range rules {
		if r.Make == "" {
			continue
		}
		// A "|" joins conditions by or: the unit runs while one is missing, or
		// empty, which is what a power failure leaves of a file just made.
		fmt.Fprintf(&conditions, "ConditionFileNotEmpty=|!%s\n", r.Done)
		fmt.Fprintf(&commands, "ExecStart=/bin/sh -c 'test -s %[1]s || { %[2]s && sync -f %[1]s; }'\n", r.Done, r.Make)
	}
	if commands.Len() == 0 {
		return nil
	}
	text := "[Unit]\nDescription=Make this machine's own keys\nDocumentation=man:stet(1)\nDefaultDependencies=no\n" +
		"After=systemd-tmpfiles-setup.service\nBefore=basic.target shutdown.target\nConflicts=shutdown.target\n" +
		conditions.String() +
		"\n[Service]\nType=oneshot\nRemainAfterExit=yes\n" + commands.String()
	if err := c.putText(unitDir+identityUnit, text, 0o644); err != nil {
		return err
	}
	return c.putLink(unitDir+"basic.target.wants/"+identityUnit, "../"+identityUnit)
}

// rules gives the table's rules of some classes whose package is in the root.
func (c *composer) rules(classes ...residue.Class) ([]residue.Rule, error) {
	table, _, err := residue.Builtin()
	if err != nil {
		return nil, err
	}
	var out []residue.Rule
	for _, r := range table.Rules {
		if slices.Contains(classes, r.Class) && c.installed(r.Package) {
			out = append(out, r)
		}
	}
	return out, nil
}

// installed reports whether a package is in the root's dpkg database.
func (c *composer) installed(name string) bool {
	_, ok := c.files.Get("/var/lib/dpkg/info/" + name + ".list")
	return ok
}

// statePolicy says what of /etc outlives a boot: the declared paths, the
// identities, what belongs to services' state, and what an account leaves to its user.
func (c *composer) statePolicy() error {
	policy := state.Policy{Format: 1, Persist: slices.Clone(c.Machine.Persist), Users: map[string][]string{}}
	rules, err := c.rules(residue.Identity, residue.Service)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Class == residue.Service {
			policy.Persist = append(policy.Persist, r.Service.Persist...)
			continue
		}
		for _, pattern := range r.Patterns {
			if strings.HasPrefix(pattern, "/etc/") {
				policy.Persist = append(policy.Persist, pattern)
			}
		}
	}
	slices.Sort(policy.Persist)
	policy.Persist = slices.Compact(policy.Persist)
	for name, u := range c.Machine.Users {
		if !u.System {
			policy.Users[name] = []string{state.FieldPassword}
		}
	}
	// root's password is root's own, declared or not.
	policy.Users["root"] = []string{state.FieldPassword}
	if err := policy.Check(); err != nil {
		return err // better now than at a boot
	}
	text, err := json.Marshal(policy)
	if err != nil {
		return err
	}
	return c.putText("/usr/"+state.PolicyFile, string(text)+"\n", 0o644)
}
