package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Format is the version of plans and facts that this Stet writes and reads.
const Format = 1

// Plan is what a switch does. docs/formats/plan.md says what each field means
// and in which order lists are.
type Plan struct {
	Format     int         `json:"format"`
	Machine    string      `json:"machine"`
	Old        string      `json:"old"`
	New        string      `json:"new"`
	Kind       Kind        `json:"kind"`
	Debt       []Debt      `json:"debt"`
	Decisions  []Decision  `json:"decisions"`
	Trees      []Tree      `json:"trees"`
	Packages   []Package   `json:"packages"`
	Files      []File      `json:"files"`
	Users      []User      `json:"users"`
	Groups     []Group     `json:"groups"`
	Sysctl     []Variable  `json:"sysctl"`
	Mounts     []Mount     `json:"mounts"`
	Managers   []Manager   `json:"managers"`
	Units      []Unit      `json:"units"`
	Protect    []UnitName  `json:"protect"`
	Tasks      []Task      `json:"tasks"`
	Drift      []Drift     `json:"drift"`
	Keep       []string    `json:"keep,omitempty"` // of an undo: paths of /etc that are carried, with all below
	Migrations []Migration `json:"migrations"`
	Scripts    []Script    `json:"scripts"`
	Fetch      Fetch       `json:"fetch"`
	ESP        ESP         `json:"esp"`
}

// Kind is what makes a machine wholly another system.
type Kind string

// The kinds, each more than the one before.
const (
	Nothing    Kind = "nothing"
	Live       Kind = "live"
	SoftReboot Kind = "soft reboot"
	FullReboot Kind = "full reboot"
)

// Until says when something that goes on as before ends.
type Until string

// The ends. A reboot of either kind is also a logout and a restart.
const (
	UntilRestart    Until = "restart" // of the unit alone, whenever that is
	UntilLogout     Until = "logout"
	UntilSoftReboot Until = Until(SoftReboot)
	UntilFullReboot Until = Until(FullReboot)
)

// Debt is something that goes on as before although the switch is done.
type Debt struct {
	What  string `json:"what"`
	User  string `json:"user,omitempty"`
	Until Until  `json:"until"`
	Why   string `json:"why"`
}

// Unit gives the name of the unit that goes on, if it is one.
func (d Debt) Unit() (name string, ok bool) { return strings.CutPrefix(d.What, "unit ") }

// Decision is what a person has to decide before anything is done.
type Decision struct {
	Kind   string `json:"kind"`
	What   string `json:"what"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

// The kinds of a [Decision].
const (
	DecideConflict  = "conflict"
	DecideMount     = "mount"
	DecideSpace     = "space"
	DecideAccount   = "account"
	DecideLogin     = "login"
	DecideMigration = "migration"
)

// Tree is a tree that is another one, or is mounted anew.
type Tree struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
	Live bool   `json:"live"`
}

// Package is a package that comes, goes or has another version.
type Package struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	Old          string `json:"old,omitempty"`
	New          string `json:"new,omitempty"`
}

// File is a file that comes, goes or is another.
type File struct {
	Path   string `json:"path"`
	Old    *Stat  `json:"old,omitempty"`
	New    *Stat  `json:"new,omitempty"`
	Diff   string `json:"diff,omitempty"`
	Hidden string `json:"hidden,omitempty"`
}

// Why a [File] has no diff.
const (
	HiddenBinary = "binary"
	HiddenLarge  = "large"
	HiddenSecret = "secret"
)

// Stat is what there is to say of one entry without its content.
type Stat struct {
	Type   string `json:"type"`
	Mode   string `json:"mode"` // octal, as configurations write it
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Size   int64  `json:"size,omitempty"`
	Target string `json:"target,omitempty"`
}

// User is an account that comes, goes or has other fields.
type User struct {
	Name string   `json:"name"`
	Old  *Account `json:"old,omitempty"`
	New  *Account `json:"new,omitempty"`
}

// Account is what passwd(5) says of a user. Numbers stay text, as they are.
type Account struct {
	UID     string `json:"uid"`
	GID     string `json:"gid"`
	Comment string `json:"comment,omitempty"`
	Home    string `json:"home"`
	Shell   string `json:"shell"`
}

// Group is a group that comes, goes or is another.
type Group struct {
	Name string      `json:"name"`
	Old  *Membership `json:"old,omitempty"`
	New  *Membership `json:"new,omitempty"`
}

// Membership is what group(5) says of a group.
type Membership struct {
	GID     string   `json:"gid"`
	Members []string `json:"members"` // sorted
}

// Variable is a kernel variable that is set, is set otherwise, or is left alone
// from now on.
type Variable struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Mount is a place where something else is mounted.
type Mount struct {
	Where  string       `json:"where"`
	Unit   string       `json:"unit"`
	Old    *MountSource `json:"old,omitempty"`
	New    *MountSource `json:"new,omitempty"`
	Action Action       `json:"action,omitempty"`
}

// MountSource is what is mounted, and how.
type MountSource struct {
	What    string `json:"what"`
	Type    string `json:"type,omitempty"`
	Options string `json:"options,omitempty"`
}

// Manager is a running systemd that has to read its units again, or to become
// its new program.
type Manager struct {
	User    string        `json:"user,omitempty"` // empty for the system's
	Action  ManagerAction `json:"action"`
	Reasons []Reason      `json:"reasons"`
}

// ManagerAction is what a manager does.
type ManagerAction string

// The two actions; the second does what the first does, too.
const (
	ManagerReload ManagerAction = "reload"
	ManagerReexec ManagerAction = "reexec"
)

// UnitName names a unit of one manager.
type UnitName struct {
	Name string `json:"name"`
	User string `json:"user,omitempty"` // empty for the system's
}

// Unit is what is done to one unit, and why.
type Unit struct {
	UnitName
	Action  Action   `json:"action"`
	Reasons []Reason `json:"reasons"`
}

// Action is what is done to a unit.
type Action string

// The actions.
const (
	Stop      Action = "stop"       // before the trees are replaced
	StopStart Action = "stop-start" // stopped before, started after
	Restart   Action = "restart"
	Reload    Action = "reload"
	Start     Action = "start"
	Keep      Action = "keep" // goes on; there is debt for it
)

// Reason is why something is done.
type Reason struct {
	Why  Why    `json:"why"`
	What string `json:"what,omitempty"`
}

// Why is the kind of a reason.
type Why string

// The kinds.
const (
	WhyText      Why = "text"
	WhyFile      Why = "file"
	WhyMapped    Why = "mapped"
	WhyPackage   Why = "package"
	WhyNamespace Why = "namespace"
	WhyWith      Why = "with"
	WhySocket    Why = "socket"
	WhyRemoved   Why = "removed"
	WhyMasked    Why = "masked"
	WhyUnwanted  Why = "unwanted"
	WhyWanted    Why = "wanted"
	WhyConflicts Why = "conflicts"
	WhyTold      Why = "told"
	WhyKept      Why = "kept"
	WhyTrees     Why = "trees" // of a manager: /usr or /etc is replaced
	WhyDrift     Why = "drift" // of an undo
)

// Task is a command that makes the machine follow its files.
type Task struct {
	Run []string `json:"run"`
	Why string   `json:"why"`
}

// Drift is a change of /etc that a person made and that goes.
type Drift struct {
	Path     string `json:"path"`
	Change   Change `json:"change"`
	Conflict bool   `json:"conflict,omitempty"`
	Diff     string `json:"diff,omitempty"`
	Hidden   string `json:"hidden,omitempty"`
}

// Change is how somebody changed a path.
type Change string

// The changes.
const (
	Modified Change = "modified"
	Added    Change = "added"
	Deleted  Change = "deleted"
)

// Migration is data of an older version that a newer one has to take over.
type Migration struct {
	Service   string `json:"service"`
	Old       string `json:"old"`
	New       string `json:"new"`
	How       string `json:"how"`
	Needs     string `json:"needs"`
	Available bool   `json:"available"`
}

// Script is a maintainer script with steps for upgrades from before a version:
// they are not run, because Stet installs every system anew.
type Script struct {
	Package string   `json:"package"`
	Old     string   `json:"old"`
	New     string   `json:"new"`
	Script  string   `json:"script"`
	Before  []string `json:"before"`
}

// Fetch counts the contents that the machine does not have.
type Fetch struct {
	Objects int   `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// ESP counts what the EFI system partition has to take.
type ESP struct {
	Bytes int64 `json:"bytes"`
	Free  int64 `json:"free"`
}

// Empty reports whether there is nothing to do, to decide or to say.
func (p *Plan) Empty() bool {
	return p.Kind == Nothing && len(p.Debt) == 0 && len(p.Decisions) == 0 && len(p.Units) == 0
}

// Text is the JSON of the plan: one line.
func (p *Plan) Text() ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // diffs are full of < and >
	if err := encoder.Encode(p); err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	return text.Bytes(), nil
}

// Parse reads a plan and refuses formats and keys it does not know: what is not
// understood must not be carried out.
func Parse(text []byte) (*Plan, error) {
	p := &Plan{}
	if err := parse(text, "plan", p); err != nil {
		return nil, err
	}
	return p, nil
}

func parse(text []byte, what string, to any) error {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	if version.Format != Format {
		return fmt.Errorf("read %s: format %d; this Stet reads %d: use the Stet that made it, or make it again", what, version.Format, Format)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(to); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}
