package plan

import "stet/internal/unit"

// Declared is what the trees of a system say of accounts and kernel variables.
type Declared struct {
	Users  map[string]Account
	Groups map[string]Membership
	Sysctl map[string]string // by name; of a pattern, the pattern
}

// ReadDeclared reads it. Errors say what could not be read.
func ReadDeclared(store Store, of System) (*Declared, error) {
	s := newSide(of, store)
	passwd, err := s.read(etcTree, "/passwd")
	if err != nil {
		return nil, err
	}
	group, err := s.read(etcTree, "/group")
	if err != nil {
		return nil, err
	}
	variables, err := s.sysctl()
	return &Declared{ParseUsers(passwd), ParseGroups(group), variables}, err
}

// UnitFiles are the unit files that the trees of a system have.
func UnitFiles(store Store, of System) (unit.Files, error) {
	return newUnitFiles(newSide(of, store), nil, nil)
}
