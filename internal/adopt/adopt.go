package adopt

import (
	"slices"
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

	// Named says that a person named the findings: what the repository declares since
	// the system that runs was built is overridden, and seen in the edit.
	Named bool

	// Before gives what the system that runs declares to be in a file; false when it
	// declares none. nil: that is not known of any.
	Before func(name string) (content []byte, ok bool)

	// Source gives what is in a file of the repository.
	Source func(name string) ([]byte, error)

	// Drifted is what is there in /etc, by path.
	Drifted map[string]plan.Drifted

	// Run has the unit files that last as long as the machine runs, by path.
	Run map[string]plan.RunFile

	// Mounts are those of the machine, those on top last.
	Mounts []drift.Mounted

	// Below gives what is at a path of the state, and all below it; of more than most,
	// no more than one further.
	Below func(name string, most int) ([]plan.Drifted, error)

	// Lasting calls a device by a name that it has at the next start, too; it is empty
	// when there is none.
	Lasting func(device string) string

	// Memory gives the size, as mount(8) takes it, and the permission bits of a file
	// system in memory; the size is empty when nobody said any.
	Memory func(point string) (size string, mode uint32, err error)

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

	// Otherwise is of findings whose changes the configuration may refuse, what is
	// then said of them.
	Otherwise []Left

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
	Path    string
	Text    string // its content, or the target of a link
}

// Propose says what adopts the findings.
func Propose(m Machine, found []drift.Finding) *Proposal {
	a := &adopter{Machine: m, found: found, proposal: &Proposal{Files: map[string][]byte{}}}
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
		case drift.Port: // with its unit, of which must be known what becomes
		case drift.Software:
			a.software(f)
		case drift.Scheduled:
			a.scheduled(f)
		case drift.Mount:
			a.mount(f)
		case drift.Variable:
			a.variable(f)
		case drift.Parameter:
			a.parameter(f)
		default:
			a.other(f)
		}
	}
	for _, f := range found {
		if f.Kind == drift.Port {
			a.port(f)
		}
	}
	return a.proposal
}

type adopter struct {
	Machine
	found    []drift.Finding
	proposal *Proposal
}

func (a *adopter) change(c ...edit.Change) { a.proposal.Changes = append(a.proposal.Changes, c...) }

func (a *adopter) leave(f drift.Finding, why, remedy string) {
	a.proposal.Left = append(a.proposal.Left, Left{f, why, remedy})
}

func (a *adopter) isLeft(f drift.Finding) bool {
	return slices.ContainsFunc(a.proposal.Left, func(l Left) bool { return l.Finding == f })
}

// otherwise says what is said of a finding when the configuration takes no other value
// than it has.
func (a *adopter) otherwise(f drift.Finding, why, remedy string) {
	a.proposal.Otherwise = append(a.proposal.Otherwise, Left{f, why, remedy})
}

// port adopts a port along with the unit that has it.
func (a *adopter) port(f drift.Finding) {
	takesAlong := func(of drift.Finding) bool {
		return f.Unit != "" && (of.Kind == drift.Unit && of.Change == plan.Added && of.Name == f.Unit || of.Path == etcUnits+f.Unit) && !a.isLeft(of)
	}
	switch {
	case slices.ContainsFunc(a.found, takesAlong):
	case f.Unit != "":
		a.leave(f, "nothing declares "+f.Unit+", which has it", "declare units."+f.Unit+", with its text")
	default:
		a.leave(f, "a program that somebody started is nothing to declare", "declare a unit of your own that starts it: units.NAME.service")
	}
}

// scheduled leaves what is a person's, and says what can be declared in its place.
func (a *adopter) scheduled(f drift.Finding) {
	user, isTable := strings.CutPrefix(f.Name, "crontab of ")
	if isTable {
		a.leave(f, "it is a person's: cron reads no table there that a system has", "declare timers.NAME, with user: "+user+", for each line, then `crontab -u "+user+" -r`")
		return
	}
	a.leave(f, "it runs once", "declare timers.NAME for what is to run again; "+f.Remedy)
}

// elsewhere is what a person can declare in the place of what no option stands for; or
// it is what undoes it.
var elsewhere = map[drift.Kind]struct{ why, remedy string }{
	drift.Damage: {"a system is whole, or is not", ""},
	drift.Boot:   {"what the boot loader reads follows from the generations", ""},
	drift.State:  {"the link leads to what belongs to the generation", ""},
	drift.Module: {"nobody knows where it is from", "declare a package that has it, and kernel.modules"},
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
