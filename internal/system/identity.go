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
	rules, err := c.identities()
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
	const unitDir = "/usr/lib/systemd/system/"
	if err := c.putText(unitDir+identityUnit, text, 0o644); err != nil {
		return err
	}
	return c.putLink(unitDir+"basic.target.wants/"+identityUnit, "../"+identityUnit)
}

// identities gives the table's identities whose package is in the root.
func (c *composer) identities() ([]residue.Rule, error) {
	table, _, err := residue.Builtin()
	if err != nil {
		return nil, err
	}
	var out []residue.Rule
	for _, r := range table.Rules {
		if r.Class != residue.Identity {
			continue
		}
		if _, ok := c.files.Get("/var/lib/dpkg/info/" + r.Package + ".list"); ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// statePolicy says what of /etc outlives a boot: the declared paths, the
// identities, and what an account leaves to its user.
func (c *composer) statePolicy() error {
	policy := state.Policy{Format: 1, Persist: slices.Clone(c.Machine.Persist), Users: map[string][]string{}}
	rules, err := c.identities()
	if err != nil {
		return err
	}
	for _, r := range rules {
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
