package state

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/plainjson"
)

// PolicyFile is where a policy lies in a usr tree, relative to /usr.
const PolicyFile = "lib/stet/state.json"

// policyFormat is the only format of a policy there is.
const policyFormat = 1

// A Policy says what of /etc outlives a generation.
type Policy struct {
	Format int `json:"format"`

	// Persist has paths, or patterns of path.Match, below /etc. A directory
	// stands for all that is in it.
	Persist []string `json:"persist,omitempty"`

	// Users has, by user name, the fields of passwd(5) and shadow(5) that the
	// user owns: FieldPassword, FieldShell, FieldComment.
	Users map[string][]string `json:"users,omitempty"`
}

// Fields of an account that can belong to its user.
const (
	FieldPassword = "password" // in shadow(5): the hash and the day it was changed
	FieldShell    = "shell"    // in passwd(5), as chsh(1) changes it
	FieldComment  = "comment"  // in passwd(5), as chfn(1) changes it
)

// alwaysPersisted is carried whatever the policy says: it is made once on the
// machine and no image has it.
const alwaysPersisted = "/etc/machine-id"

// ParsePolicy reads a policy and checks it, so that a policy which a build
// accepted cannot surprise a boot.
func ParsePolicy(text []byte) (Policy, error) {
	object, err := plainjson.Read(text)
	if err != nil {
		return Policy{}, fmt.Errorf("read the state policy: %w", err)
	}
	version, err := object.Int("format")
	if err != nil {
		return Policy{}, fmt.Errorf("read the state policy: %w", err)
	}
	if version != policyFormat {
		return Policy{}, fmt.Errorf("the state policy has format %d; this Stet knows %d: use the Stet that built the system", version, policyFormat)
	}
	p := Policy{Format: policyFormat}
	if err := p.take(object); err != nil {
		return Policy{}, fmt.Errorf("read the state policy: %w", err)
	}
	return p, p.Check()
}

// take takes the members of a policy, and refuses others: it would not do what they ask.
func (p *Policy) take(object plainjson.Object) (err error) {
	for name := range object {
		if !slices.Contains([]string{"format", "persist", "users"}, name) {
			return fmt.Errorf("unknown field %q", name)
		}
	}
	if p.Persist, err = object.Strings("persist"); err != nil {
		return err
	}
	users, err := object.Object("users")
	if err != nil || users == nil {
		return err
	}
	p.Users = map[string][]string{}
	for user := range users {
		if p.Users[user], err = users.Strings(user); err != nil {
			return err
		}
	}
	return nil
}

// bytes is the text of the policy, for [ParsePolicy].
func (p Policy) bytes() []byte {
	members := []plainjson.Member{{Name: "format", Value: policyFormat}}
	if len(p.Persist) > 0 {
		members = append(members, plainjson.Member{Name: "persist", Value: p.Persist})
	}
	if len(p.Users) > 0 {
		members = append(members, plainjson.Member{Name: "users", Value: p.Users})
	}
	return plainjson.Write(members)
}

// Check says what is wrong with a policy.
func (p Policy) Check() error {
	for _, pattern := range p.Persist {
		if !strings.HasPrefix(pattern, "/etc/") || path.Clean(pattern) != pattern {
			return fmt.Errorf("persist %q: not a clean path below /etc", pattern)
		}
		if _, err := path.Match(pattern, "/etc"); err != nil {
			return fmt.Errorf("persist %q: %w", pattern, err)
		}
	}
	for user, fields := range p.Users {
		if user == "" || strings.ContainsAny(user, ":\n") {
			return fmt.Errorf("%q is no user name", user)
		}
		for _, field := range fields {
			if !slices.Contains([]string{FieldPassword, FieldShell, FieldComment}, field) {
				return fmt.Errorf("user %s cannot own field %q", user, field)
			}
		}
	}
	return nil
}

// Persists reports whether name, an absolute path, is persisted: itself, or as
// part of a directory that is.
func (p Policy) Persists(name string) bool {
	for ; name != "/" && name != "."; name = path.Dir(name) {
		if name == alwaysPersisted {
			return true
		}
		for _, pattern := range p.Persist {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				return true
			}
		}
	}
	return false
}
