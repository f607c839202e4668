package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// policyName is the file beside an upper that has the policy of its system.
const policyName = "policy"

// NotePolicy writes down under which policy u is used. The last one counts.
func (u Upper) NotePolicy(p Policy) error {
	name := filepath.Join(u.Directory, policyName)
	if err := os.WriteFile(temporaryName(name), p.bytes(), 0o644); err != nil {
		return fmt.Errorf("note the policy of an upper of /etc: %w", err)
	}
	return os.Rename(temporaryName(name), name)
}

// NotedPolicy gives what [Upper.NotePolicy] wrote. It is not known of uppers that
// an older Stet made.
func (u Upper) NotedPolicy() (p Policy, known bool) {
	text, err := os.ReadFile(filepath.Join(u.Directory, policyName))
	if err != nil {
		return Policy{}, false
	}
	p, err = ParsePolicy(text)
	return p, err == nil
}

// Regained is what of /etc is persisted again, or for the first time, and is in an
// upper that came before the present one.
type Regained struct {
	From    Upper
	Persist []string // as in a [Policy]
}

// Regain finds what next persists and before did not. What the present upper has
// of it is carried from there; of the rest the newest of earlier, the oldest
// first, that has it is named. An upper under whose policy it was persisted, and
// that has it not, ends the search: there somebody removed it.
//
// The error is about uppers that cannot be read; what others have is named all
// the same.
func Regain(earlier []Upper, present Upper, before, next Policy) (all []Regained, err error) {
	wanted := slices.DeleteFunc(slices.Clone(next.Persist), before.Persists)
	wanted, failed := present.lacks(wanted)
	problems := []error{failed}
	for _, u := range slices.Backward(earlier) {
		missing, err := u.lacks(wanted)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		has := func(pattern string) bool { return !slices.Contains(missing, pattern) }
		if found := slices.DeleteFunc(slices.Clone(wanted), func(pattern string) bool { return !has(pattern) }); len(found) > 0 {
			all = append(all, Regained{u, found})
		}
		if policy, known := u.NotedPolicy(); known {
			missing = slices.DeleteFunc(missing, policy.Persists)
		}
		wanted = missing
	}
	return all, errors.Join(problems...)
}

// lacks gives those of the patterns that nothing in the upper matches. What was
// removed is in it, as a whiteout.
func (u Upper) lacks(patterns []string) ([]string, error) {
	missing := slices.Clone(patterns)
	if len(missing) == 0 {
		return nil, nil
	}
	root, err := os.OpenRoot(u.Upper())
	if err != nil {
		return missing, err
	}
	defer root.Close()
	depth := func(name string) int { return strings.Count(name, "/") }
	deepest := slices.MaxFunc(missing, func(a, b string) int { return depth(a) - depth(b) })
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		at := path.Join("/etc", name)
		missing = slices.DeleteFunc(missing, func(pattern string) bool {
			ok, err := path.Match(pattern, at)
			return ok && err == nil
		})
		switch {
		case len(missing) == 0:
			return fs.SkipAll
		case entry.IsDir() && depth(at) >= depth(deepest):
			return fs.SkipDir
		}
		return nil
	})
	return missing, err
}
