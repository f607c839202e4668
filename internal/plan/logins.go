package plan

import (
	"path"
	"slices"
	"strings"

	"stet/internal/tree"
)

// decideLogins asks whether it is meant that nobody can log in any more. Who of
// several people loses an account is the configuration's to say.
func (m *maker) decideLogins(old, next map[string]Account) error {
	before, err := m.old.logins(old, m.table.logins, m.facts.OwnPasswords)
	if err != nil || len(before) == 0 {
		return err
	}
	after, err := m.new.logins(next, m.table.logins, m.facts.OwnPasswords)
	if err != nil || slices.ContainsFunc(before, func(name string) bool { return slices.Contains(after, name) }) {
		return err
	}
	m.decide(DecideLogin, "nobody", "who can log in now could do so afterwards: "+strings.Join(before, ", "),
		"declare one of them with a key or a password, or `stet boot` changes the system at the next start")
	return nil
}

// logins gives the accounts that somebody can log in to, sorted: those with a shell
// that is there, and a password or a key.
func (s *side) logins(accounts map[string]Account, rules []loginRule, own []string) ([]string, error) {
	usr, err := s.files(usrTree)
	if err != nil {
		return nil, err
	}
	etc, err := s.files(etcTree)
	if err != nil {
		return nil, err
	}
	shadow, err := s.read(etcTree, "/shadow")
	if err != nil {
		return nil, err
	}
	able := passwords(shadow, own)
	for _, r := range rules {
		if !hasProgram(usr, r.needs) {
			continue
		}
		for e := range etc.Below(path.Dir(strings.TrimPrefix(r.path, "/etc"))) {
			if ok, _ := path.Match(strings.TrimPrefix(r.path, "/etc"), e.Path); ok && e.Type == tree.Regular && e.Size > 0 {
				able[path.Base(e.Path)] = true
			}
		}
	}
	var names []string
	for name, account := range accounts {
		if able[name] && !slices.Contains(noShells, path.Base(account.Shell)) && hasProgram(usr, account.Shell) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// noShells are programs that end at once when somebody logs in.
var noShells = []string{"nologin", "false", "true", "sync"}

// passwords gives the accounts that have a password by shadow(5), and those of
// people who set their own.
func passwords(shadow string, own []string) map[string]bool {
	has := map[string]bool{}
	for line := range strings.Lines(shadow) {
		fields := strings.Split(line, ":")
		has[fields[0]] = len(fields) > 1 && !strings.HasPrefix(fields[1], "!") && !strings.HasPrefix(fields[1], "*")
	}
	for _, name := range own {
		has[name] = true
	}
	return has
}

// hasProgram reports whether something is at a path of a machine with merged
// /usr. Where a link leads is not followed.
func hasProgram(usr tree.Files, name string) bool {
	name = strings.TrimPrefix(name, "/usr")
	_, ok := usr.Lookup(name)
	return ok
}
