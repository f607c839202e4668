package adopt

import (
	"strings"

	"stet/internal/drift"
	"stet/internal/edit"
	"stet/internal/machine"
	"stet/internal/plan"
)

// Machine is what is known of the machine whose findings are adopted.
type Machine struct {
	// Declared is what the repository declares, with all that modules bring.
	Declared *machine.Machine

	// Owner tells who declares an option; nobody also when only a default does.
	Owner func(option ...string) Owner

	// Drifted is what is there in /etc, by path.
	Drifted map[string]plan.Drifted

	// Read gives what is in a file of the machine.
	Read func(name string) ([]byte, error)

	// Was and Is are accounts: as the system that runs declares them, and as they
	// are, without what is the users' own to choose.
	Was, Is Accounts

	Variables map[string]string // of the kernel, by name
}

// Accounts are /etc/passwd and /etc/group.
type Accounts struct {
	Users  map[string]plan.Account
	Groups map[string]plan.Membership
}

// ParseAccounts reads them.
func ParseAccounts(passwd, group string) Accounts {
	return Accounts{plan.ParseUsers(passwd), plan.ParseGroups(group)}
}

// Owner is who declares an option.
type Owner int

// The owners.
const (
	Nobody Owner = iota
	Person       // in a file of the repository
	Module       // a module, or Stet itself
)

// Proposal is how the repository has to change.
type Proposal struct {
	Changes []edit.Change
	Files   map[string][]byte // of the repository, by their names in it
	Left    []Left

	// Wants is what has to be declared afterwards, for whoever makes the changes.
	Wants []Want
}

// Left is a finding that cannot be adopted.
type Left struct {
	Finding drift.Finding `json:"finding"`
	Why     string        `json:"why"`
	Remedy  string        `json:"remedy,omitempty"`
}

// Want is what a file has to be in the changed configuration.
type Want struct {
	Finding drift.Finding
	Path    string // below /etc
	Text    string // its content, or the target of a link
}

// Propose says what adopts the findings.
func Propose(m Machine, found []drift.Finding) *Proposal {
	a := &adopter{Machine: m, proposal: &Proposal{Files: map[string][]byte{}}}
	for _, f := range found {
		switch f.Kind {
		case drift.File:
			a.file(f)
		case drift.Unit:
			a.unit(f)
		case drift.User:
			a.user(f)
		case drift.Group:
			a.group(f)
		case drift.Variable:
			a.variable(f)
		case drift.Parameter:
			a.parameter(f)
		default:
			a.other(f)
		}
	}
	return a.proposal
}

type adopter struct {
	Machine
	proposal *Proposal
}

func (a *adopter) change(c ...edit.Change) { a.proposal.Changes = append(a.proposal.Changes, c...) }

func (a *adopter) leave(f drift.Finding, why, remedy string) {
	a.proposal.Left = append(a.proposal.Left, Left{f, why, remedy})
}

// unit adopts what systemctl(1) did. The unit that a link in /etc is about may be
// an instance or an alias: the name is that of the link.
func (a *adopter) unit(f drift.Finding) {
	option := func(name string) []string { return []string{"units", f.Name, name} }
	switch link := a.Drifted[f.Path]; {
	case strings.HasPrefix(f.Path, "/run/"):
		a.leave(f, "it lasts only until the next start", "declare it: units."+f.Name+" has text, drop_ins, enable and mask")
	case f.Path == "" && f.Change == plan.Added:
		a.leave(f, "nobody knows how it was started", "declare a unit of your own: units."+f.Name+".text")
	case f.Path == "":
		a.leave(f, "a failure is nothing to declare", "`systemctl status "+f.Name+"` says what is wrong")
	case link.Target == "/dev/null":
		a.change(edit.Set(option("mask"), edit.Bool(true)))
	default:
		a.change(edit.Set(option("enable"), edit.Bool(link.Change == plan.Added)))
	}
}

// elsewhere is what a person can declare in the place of what no option stands for.
var elsewhere = map[drift.Kind]struct{ why, remedy string }{
	drift.Port:      {"a program that somebody started is nothing to declare", "declare a unit of your own that starts it: units.NAME.service"},
	drift.Software:  {"it is state: a configuration has no bytes of programs", "declare a package that has it, or what is a text as one of files:"},
	drift.Scheduled: {"it is a person's, and state", "declare a timer: units.NAME.timer and units.NAME.service"},
	drift.Mount:     {"how it is to be found at the next start is not known", "declare it: storage.mounts has the path, and the file system by its UUID or label"},
	drift.Boot:      {"what the boot loader reads follows from the generations", ""},
	drift.State:     {"the link leads to what belongs to the generation", ""},
	drift.Module:    {"nobody knows where it is from", "declare a package that has it, and kernel.modules"},
}

func (a *adopter) other(f drift.Finding) {
	of := elsewhere[f.Kind]
	if of.remedy == "" {
		of.remedy = f.Remedy
	}
	a.leave(f, of.why, of.remedy)
}

// variable adopts the value of a kernel variable.
func (a *adopter) variable(f drift.Finding) {
	a.change(edit.Set([]string{"sysctl", f.Name}, number(a.Variables[f.Name])))
}

// parameter adopts what the kernel was started with.
func (a *adopter) parameter(f drift.Finding) {
	option := []string{"kernel", "parameters"}
	switch {
	case f.Change == plan.Added:
		a.change(edit.Add(option, f.Name))
	case a.Owner(append(option, f.Name)...) == Person:
		a.change(edit.Drop(option, f.Name))
	default:
		a.leave(f, "a module declares it", "`stet why "+f.Name+"` says which")
	}
}
