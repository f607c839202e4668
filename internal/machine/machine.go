package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Machine is one named entry of a configuration, completely evaluated:
// modules are expanded into packages, files, users, groups, units and sysctl.
type Machine struct {
	Name         string                       `json:"name"`
	Debian       Debian                       `json:"debian"`
	Base         string                       `json:"base"`
	Hostname     string                       `json:"hostname"`
	Timezone     string                       `json:"timezone"`
	Locale       string                       `json:"locale"`
	Network      Network                      `json:"network"`
	Repositories map[string]Repository        `json:"repositories,omitempty"`
	Packages     map[string]Package           `json:"packages,omitempty"`
	Exclude      map[string]string            `json:"exclude,omitempty"` // packages that are never installed, by "name" or "name:architecture", to who says so; empty when a person does
	Users        map[string]User              `json:"users,omitempty"`
	Groups       map[string]Group             `json:"groups,omitempty"`
	Files        map[string]File              `json:"files,omitempty"`
	Units        map[string]Unit              `json:"units,omitempty"`
	Sysctl       map[string]string            `json:"sysctl,omitempty"`
	Debconf      map[string]map[string]string `json:"debconf,omitempty"` // answers: package to question to answer
	Kernel       Kernel                       `json:"kernel"`
	Disk         Disk                         `json:"disk"`
	Persist      []string                     `json:"persist,omitempty"` // sorted absolute paths below /etc
	Checks       map[string]BuildCheck        `json:"checks,omitempty"`
	Adopt        map[string]Adoption          `json:"adopt,omitempty"` // by the path of a file
	Health       Health                       `json:"health"`
	Tests        map[string][]Step            `json:"tests,omitempty"`
}

// The two values of [Machine.Base].
const (
	// BaseStandard is Essential and the priorities required and important.
	BaseStandard = "standard"
	// BaseMinimal is Essential and what a boot needs.
	BaseMinimal = "minimal"
)

// Debian names the suites a machine is made from.
type Debian struct {
	Suite        string   `json:"suite"`
	Suites       []string `json:"suites,omitempty"` // further ones, sorted; not those of the two switches
	Updates      bool     `json:"updates,omitempty"`
	Security     bool     `json:"security,omitempty"`
	Snapshot     string   `json:"snapshot,omitempty"` // RFC 3339, in UTC; empty is the newest state
	Components   []string `json:"components"`         // sorted
	Architecture string   `json:"architecture"`
	// ForeignArchitectures are those that packages may also come from, as in
	// dpkg --print-foreign-architectures: sorted, without Architecture.
	ForeignArchitectures []string `json:"foreign_architectures,omitempty"`
	// Recommends installs what packages recommend, where it can be had.
	Recommends bool `json:"recommends,omitempty"`
	// Mirror is the URL that the machine's own apt asks; empty is the snapshot
	// service.
	Mirror string `json:"mirror,omitempty"`
}

// Own are the suites that packages come from without being asked to: the
// machine's, and those of its fixes.
func (d Debian) Own() []string {
	own := []string{d.Suite}
	if d.Updates {
		own = append(own, d.Suite+"-updates")
	}
	if d.Security {
		own = append(own, d.Suite+"-security")
	}
	return own
}

// Further are the suites that packages come from where one asks for it.
func (d Debian) Further() []string {
	own := d.Own()
	return slices.DeleteFunc(slices.Clone(d.Suites), func(suite string) bool { return slices.Contains(own, suite) })
}

// Repository is an archive that is not Debian's; the key of its map is what
// packages call it by.
type Repository struct {
	URL        string   `json:"url"`
	Suite      string   `json:"suite"`                // a directory below dists/, or of a flat repository one that ends in "/"
	Components []string `json:"components,omitempty"` // sorted; none of a flat repository
	Key        string   `json:"key"`                  // armored OpenPGP public keys
}

// Network is how the machine reaches its network.
type Network struct {
	DHCP bool `json:"dhcp"`
}

// Package is a wish for one package; the key of its map is "name" or
// "name:architecture".
type Package struct {
	Suite   string `json:"suite,omitempty"` // of Debian, or a repository's name
	Version string `json:"version,omitempty"`
	Hold    bool   `json:"hold,omitempty"`
	Local   *Local `json:"local,omitempty"`
	Because string `json:"because,omitempty"` // the option or module that wants it; empty when a person wrote it
	// Recommends says it for this package's own Recommends; nil leaves it to
	// [Debian.Recommends].
	Recommends *bool `json:"recommends,omitempty"`
}

// Local is a .deb of the repository that has the configuration.
type Local struct {
	Path         string `json:"path"` // slash-separated, relative to the repository, never outside it
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	Size         int64  `json:"size"`   // bytes
	SHA256       string `json:"sha256"` // lower-case hexadecimal
}

// User is one account. An id that is zero is taken from the lock's ledger.
type User struct {
	UID         int      `json:"uid,omitempty"`
	Group       string   `json:"group,omitempty"`  // primary group; empty means one of the user's own name
	Groups      []string `json:"groups,omitempty"` // supplementary, sorted
	Description string   `json:"description,omitempty"`
	Home        string   `json:"home,omitempty"`
	Shell       string   `json:"shell,omitempty"`
	SSHKeys     []string `json:"ssh_keys,omitempty"` // sorted authorized_keys lines
	System      bool     `json:"system,omitempty"`
}

// Group is one declared group. An id that is zero is taken from the ledger.
type Group struct {
	GID    int  `json:"gid,omitempty"`
	System bool `json:"system,omitempty"`
}

// File is one declared file, directory or symlink; the key of its map is its
// absolute path. Kind says which of Text, Source and Link is meant, if any.
type File struct {
	Kind   FileKind `json:"kind"`
	Text   string   `json:"text,omitempty"`
	Source string   `json:"source,omitempty"` // slash-separated, relative to the repository, never outside it
	Link   string   `json:"link,omitempty"`
	Mode   uint32   `json:"mode"` // permission bits, 0o7777; meaningless for a link
	User   string   `json:"user"`
	Group  string   `json:"group"`
}

// fileText is the JSON form of a [File], which writes the mode as a
// configuration does: in octal, as a string.
type fileText struct {
	fileFields
	Mode string `json:"mode,omitempty"`
}

// fileFields is [File] without its methods.
type fileFields File

// MarshalJSON implements [json.Marshaler].
func (f File) MarshalJSON() ([]byte, error) {
	return json.Marshal(fileText{fileFields(f), fmt.Sprintf("%04o", f.Mode)})
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *File) UnmarshalJSON(text []byte) error {
	var t fileText
	if err := json.Unmarshal(text, &t); err != nil {
		return err
	}
	*f = File(t.fileFields)
	if t.Mode == "" {
		return nil
	}
	mode, err := strconv.ParseUint(t.Mode, 8, 32)
	if err != nil {
		return fmt.Errorf("mode %q: not octal", t.Mode)
	}
	f.Mode = uint32(mode)
	return nil
}

// FileKind says where a declared file's content comes from.
type FileKind string

// The kinds of a [File].
const (
	FileText      FileKind = "text"
	FileSource    FileKind = "source"
	FileLink      FileKind = "link"
	FileDirectory FileKind = "directory"
	// FileAbsent takes away what a package or its scripts put at the path.
	FileAbsent FileKind = "absent"
)

// Unit is one systemd unit; the key of its map is the unit's full name. An
// empty Text leaves the unit file to the package that ships it.
type Unit struct {
	Enable  *bool             `json:"enable,omitempty"` // nil leaves it as the package decided
	Mask    bool              `json:"mask,omitempty"`
	Text    string            `json:"text,omitempty"`
	DropIns map[string]string `json:"drop_ins,omitempty"` // file name without ".conf" to text
}

// Kernel is the kernel package, its command line, and what it loads early.
type Kernel struct {
	Package    string   `json:"package"`
	Parameters []string `json:"parameters,omitempty"` // sorted
	Modules    []string `json:"modules,omitempty"`    // sorted
}

// BuildCheck is a command that must succeed in the composed root before the
// machine counts as built.
type BuildCheck struct {
	Command string   `json:"command"`         // of the shell
	Files   []string `json:"files,omitempty"` // sorted: what it reads beside packages; all there is when empty
}

// Adoption says which options the lines of a file stand for, by the name of the
// option.
type Adoption map[string]AdoptedLine

// AdoptedLine is a line that stands for an option.
type AdoptedLine struct {
	Line string `json:"line"` // a regular expression for all of it, whose group is the value
	As   string `json:"as"`   // [AdoptText], [AdoptNumber] or [AdoptYesNo]
}

// How an [AdoptedLine] has its value.
const (
	AdoptText   = "text"
	AdoptNumber = "number"
	AdoptYesNo  = "yes or no"
)

// Health is what must be so for the machine to be well.
type Health struct {
	Timeout Duration         `json:"timeout"` // for all checks together
	Checks  map[string]Check `json:"checks,omitempty"`
}

// Check is one condition of health; exactly one field is set.
type Check struct {
	Unit    string `json:"unit,omitempty"`    // that is active
	Command string `json:"command,omitempty"` // of the shell, that succeeds
	Port    int    `json:"port,omitempty"`    // of TCP, that accepts on the loopback interface
}

// Disk is the disk of a machine that is made for it. Sizes are in bytes.
type Disk struct {
	Size int64 `json:"size"` // of an image
	ESP  int64 `json:"esp"`
	Swap int64 `json:"swap,omitempty"` // 0 for none
}

// Step is one step of a declared test.
type Step struct {
	Run     string   `json:"run,omitempty"`      // a shell command
	From    string   `json:"from,omitempty"`     // "guest" (the default) or "host"
	Expect  *string  `json:"expect,omitempty"`   // must occur in the output of Run
	WaitFor *WaitFor `json:"wait_for,omitempty"` // waits instead of running
	Reboot  bool     `json:"reboot,omitempty"`
	Timeout Duration `json:"timeout"`
}

// WaitFor is a condition a test waits for; exactly one field is set.
type WaitFor struct {
	Port int    `json:"port,omitempty"` // a TCP port of the guest that accepts connections
	Unit string `json:"unit,omitempty"` // a unit that is active
}

// Duration is a time.Duration that JSON writes in systemd's manner ("30s").
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Digest is the SHA-256 of the machine's canonical JSON, in hexadecimal. It
// covers the names of source files, not their contents; of local .debs and keys
// it covers the contents.
func (m *Machine) Digest() string {
	text, err := json.Marshal(m)
	if err != nil {
		panic("machine: a machine of plain values has JSON: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
