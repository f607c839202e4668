package activate

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"stet/internal/mount"
	"stet/internal/state"
)

// carry brings what persists into the new /etc.
func (s *switching) carry() error {
	before, err := readPolicy(s.at("usr"))
	if err != nil {
		return err
	}
	policy := before
	if s.replacesUsr() {
		if policy, err = readPolicy(s.next("usr")); err != nil {
			return err
		}
	}
	etc, err := os.OpenRoot(s.next("etc"))
	if err != nil {
		return err
	}
	defer etc.Close()
	if err := s.regain(etc, before, policy); err != nil {
		return err
	}
	carried := policy
	carried.Persist = slices.Clone(policy.Persist)
	for _, kept := range s.Plan.Keep {
		carried.Persist = append(carried.Persist, literal(kept))
	}
	problems, err := state.Carry{
		Policy: carried, Upper: s.previousUpper().Upper(), Etc: etc,
		Merged: func() (string, error) { return s.at("etc"), nil },
	}.Run()
	s.problems = append(s.problems, problems...)
	if err != nil {
		return err
	}
	if _, err := state.EnsureMachineID(etc, rand.Reader); err != nil {
		return err
	}
	dir := filepath.Join(s.State, "etc")
	uppers, err := state.Uppers(dir)
	if err != nil {
		return err
	}
	upper := state.Upper{Number: state.NextUpper(uppers)}
	upper.Directory = filepath.Join(dir, strconv.Itoa(upper.Number)+".partial")
	s.Upper = upper.Number // noted first: on the way back it is taken out of the count
	if err := s.begin(replacing); err != nil {
		return err
	}
	if err := upper.NotePolicy(policy); err != nil {
		return err
	}
	_, err = upper.Finish()
	return err
}

// regain brings into etc what the new system persists and the old one did not, and
// only an earlier upper has.
func (s *switching) regain(etc *os.Root, before, next state.Policy) error {
	uppers, err := state.Uppers(filepath.Join(s.State, "etc"))
	if err != nil {
		return err
	}
	earlier := slices.DeleteFunc(uppers, func(u state.Upper) bool { return u.Number == s.Boot.Upper })
	all, err := state.Regain(earlier, s.previousUpper(), before, next)
	if err != nil {
		s.problems = append(s.problems, fmt.Sprintf("not all of what was let go of /etc can be read: %v", err))
	}
	for _, r := range all {
		problems, err := s.carryFrom(r.From, r.Persist, etc)
		s.problems = append(s.problems, problems...)
		if err != nil {
			return err
		}
		s.regained = append(s.regained, r.Persist...)
	}
	return nil
}

// regainInPlace does so in the /etc that stays, when all is done: what a failure
// had to take away again would not be there yet.
func (s *switching) regainInPlace(ctx context.Context) error {
	if s.replaces("etc") || !s.replacesUsr() {
		return nil
	}
	before, err := readPolicy(s.last("usr"))
	if err != nil {
		return err
	}
	next, err := readPolicy(s.at("usr"))
	if err != nil {
		return err
	}
	unlock, err := lockAccounts(ctx, s.at("etc"))
	if err != nil {
		return err
	}
	defer unlock()
	etc, err := os.OpenRoot(s.at("etc"))
	if err != nil {
		return err
	}
	defer etc.Close()
	if err := s.regain(etc, before, next); err != nil {
		return err
	}
	return s.previousUpper().NotePolicy(next)
}

// carryFrom carries what patterns match from an upper that is mounted no more.
func (m Machine) carryFrom(from state.Upper, patterns []string, etc *os.Root) (problems []string, err error) {
	var merged *mount.Mount
	problems, err = state.Carry{
		Policy: state.Policy{Persist: patterns}, Named: true, Upper: from.Upper(), Etc: etc,
		Merged: func() (string, error) {
			if from.Image == "" {
				return "", fmt.Errorf("it is not known what /etc number %d was made from", from.Number)
			}
			c := m.composefs("etc", from.Image)
			c.Upper, c.Work, c.ReadOnly = from.Upper(), from.Work(), true
			if merged, err = c.Mount(); err != nil {
				return "", err
			}
			return merged.Root(), nil
		},
	}.Run()
	if merged != nil {
		merged.Close()
	}
	return problems, err
}

// readPolicy reads the policy of a usr tree. One without any persists nothing.
func readPolicy(usr string) (state.Policy, error) {
	text, err := os.ReadFile(filepath.Join(usr, state.PolicyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return state.Policy{}, nil
	}
	if err != nil {
		return state.Policy{}, err
	}
	return state.ParsePolicy(text)
}

// literal is the pattern of path.Match that matches a path and no other.
func literal(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}
