package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/tree"
	"stet/internal/unit"
	"stet/internal/verity"
)

// Facts are what an edge has seen on the running machine, at one moment.
// docs/formats/plan.md describes the text form.
type Facts struct {
	Format   int                `json:"format"`
	Booted   Booted             `json:"booted"`
	Managers []RunningManager   `json:"managers"` // the system's first
	Mounts   []string           `json:"mounts,omitempty"`
	Drift    []Drifted          `json:"drift,omitempty"`
	Run      map[string]RunFile `json:"run,omitempty"`
	Sessions []string           `json:"sessions,omitempty"`

	// Restore is what an undo asks for; nil: this is a switch.
	Restore *Restore `json:"restore,omitempty"`

	OwnPasswords []string `json:"own_passwords,omitempty"` // users who set theirs themselves, also in the next system

	States []string  `json:"states,omitempty"`
	Trees  []string  `json:"trees,omitempty"`
	ESP    *ESPFacts `json:"esp,omitempty"` // nil: the machine is started without one
	Disk   DiskFacts `json:"disk"`
}

// Booted is what the machine started with, which no live switch changes.
type Booted struct {
	Kernel        verity.Digest `json:"kernel"`
	KernelVersion string        `json:"kernel_version"`
	CommandLine   string        `json:"command_line"` // the declared parameters in it
}

// RunningManager is a systemd: the system's, or that of a user.
type RunningManager struct {
	User  string        `json:"user,omitempty"` // the name; empty for the system's
	Maps  []Maps        `json:"maps,omitempty"` // of the manager's own process
	Units []RunningUnit `json:"units"`
}

// RunningUnit is a unit that systemd has loaded and that is not inactive.
type RunningUnit struct {
	Name      string     `json:"name"`   // its id, not an alias
	Active    string     `json:"active"` // as "systemctl show -P ActiveState"
	Sub       string     `json:"sub,omitempty"`
	MainPID   int        `json:"main_pid,omitempty"`
	Fragment  string     `json:"fragment,omitempty"` // as FragmentPath
	Maps      []Maps     `json:"maps,omitempty"`     // of all its processes
	Namespace *Namespace `json:"namespace,omitempty"`
}

// Maps are files below /usr that processes have mapped from one tree.
type Maps struct {
	// Tree is the usr tree that was mounted where the files are from. A process
	// may have files of a system long gone under the paths of today's.
	Tree  string   `json:"tree,omitempty"` // SHA-256; empty when nobody knows
	Paths []string `json:"paths"`
}

// Namespace is a unit's mount namespace, where it has one of its own.
type Namespace struct {
	Private     bool     `json:"private,omitempty"`       // the machine's mounts do not reach it
	Below       []string `json:"below,omitempty"`         // its own mount points below /usr and /etc
	Copies      []Copy   `json:"copies,omitempty"`        // its own mounts of parts of /usr and /etc
	ReadOnlyEtc bool     `json:"read_only_etc,omitempty"` // ProtectSystem=full or strict
}

// Copy is something of /usr or /etc that is mounted elsewhere.
type Copy struct {
	Of string `json:"of"`
	At string `json:"at"`
}

// Holds reports whether the namespace would go on seeing the old tree when the
// one at place, "/usr" or "/etc", is replaced: it is private, or has a mount of
// its own below the place, or a part of the old one elsewhere.
func (n *Namespace) Holds(place string) bool {
	below := func(name string) bool { return name == place || strings.HasPrefix(name, place+"/") }
	return n != nil && (n.Private ||
		slices.ContainsFunc(n.Below, func(name string) bool { return below(name) && name != place }) ||
		slices.ContainsFunc(n.Copies, func(c Copy) bool { return below(c.Of) }))
}

// Drifted is one path of /etc at which the machine differs from its system.
type Drifted struct {
	Path      string        `json:"path"`
	Change    Change        `json:"change"`
	Persisted bool          `json:"persisted,omitempty"` // it outlives the switch
	Type      string        `json:"type,omitempty"`      // of what is there; empty when it was deleted
	Mode      uint32        `json:"mode,omitempty"`      // permission bits
	UID       uint32        `json:"uid,omitempty"`
	GID       uint32        `json:"gid,omitempty"`
	Size      int64         `json:"size,omitempty"`
	Digest    verity.Digest `json:"digest,omitzero"`
	Target    string        `json:"target,omitempty"`
	Text      *string       `json:"text,omitempty"` // of a text that others may read

	Attributes []string `json:"attributes,omitempty"` // names of extended attributes that are not as declared
}

// is reports whether what is there now is what a tree has: content, owner and
// mode. Of extended attributes nothing says whether they are as in another tree.
func (d *Drifted) is(e *tree.Entry) bool {
	if e == nil || d.Change == Deleted {
		return e == nil && d.Change == Deleted
	}
	if d.Type != e.Type.String() || d.UID != e.UID || d.GID != e.GID || len(d.Attributes) > 0 {
		return false
	}
	if e.Type == tree.Symlink {
		return leads(d.Path, d.Target) == leads(d.Path, e.Target)
	}
	return d.Mode == e.Mode && d.Size == e.Size && d.Digest == e.Digest
}

// leads says where a link leads: systemd's tools write some from the root and some from
// the link.
func leads(name, target string) string {
	if path.IsAbs(target) {
		return path.Clean(target)
	}
	return path.Join(path.Dir(name), target)
}

// RunFile is a unit file, or a link to one, that no tree has.
type RunFile struct {
	Link string `json:"link,omitempty"`
	Text string `json:"text,omitempty"`
}

// ESPFacts is the room on the EFI system partition, and the kernels and initrds
// it has.
type ESPFacts struct {
	Free int64           `json:"free"`
	Has  []verity.Digest `json:"has,omitempty"`
}

// DiskFacts is the room on the store's file system.
type DiskFacts struct {
	Free   int64 `json:"free"`
	Inodes int64 `json:"inodes"`
}

// check refuses facts that no machine has.
func (f *Facts) check() error {
	for i, m := range f.Managers {
		if (m.User == "") != (i == 0) {
			return fmt.Errorf("facts: manager %d is that of %q: the system's comes first, and each user has one", i, m.User)
		}
		for _, u := range m.Units {
			if unit.Type(u.Name) == u.Name || unit.Type(u.Name) == "" {
				return fmt.Errorf("facts: %q is no unit", u.Name)
			}
		}
	}
	for _, d := range f.Drift {
		if !strings.HasPrefix(d.Path, "/etc/") || path.Clean(d.Path) != d.Path {
			return fmt.Errorf("facts: %q drifted, and is no path below /etc", d.Path)
		}
	}
	return nil
}

// ParseFacts reads facts that another process has gathered.
func ParseFacts(text []byte) (*Facts, error) {
	f := &Facts{}
	if err := parse(text, "facts", f); err != nil {
		return nil, err
	}
	return f, nil
}
