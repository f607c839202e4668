package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"cuelang.org/go/cue"

	"stet/internal/machine"
)

// The text* types are what the schema's values look like in JSON, where they
// differ from those of machine: sets are objects there.
type (
	set map[string]json.RawMessage

	textMachine struct {
		Name   string
		Debian struct {
			Suite             string
			Suites            set
			Updates, Security bool
			Snapshot          string
			Components        set
			Architecture      string
			Foreign           set `json:"foreign_architectures"`
			Recommends        bool
			Mirror            string
		}
		Repositories                     map[string]textRepository
		Base, Hostname, Timezone, Locale string
		Network                          machine.Network
		Packages                         map[string]textPackage
		Exclude                          map[string]struct{ Because map[string]bool }
		Users                            map[string]textUser
		Groups                           map[string]machine.Group
		Files                            map[string]textFile
		Units                            map[string]struct {
			Enable  *bool
			Mask    bool
			Text    string
			DropIns map[string]string `json:"drop_ins"`
		}
		Sysctl  map[string]any
		Debconf map[string]map[string]any
		Kernel  struct {
			Package    string
			Parameters set
			Modules    set
		}
		Disk    struct{ Size, ESP, Swap string }
		Persist set
		Checks  map[string]struct {
			Command string
			Files   set
			Enable  bool
		}
		Adopt  map[string]machine.Adoption
		Health map[string]json.RawMessage
		Tests  map[string][]textStep
	}

	textRepository struct {
		URL, Suite, Key string
		Components      set
	}

	textPackage struct {
		Suite, Version string
		Recommends     *bool
		Hold           bool
		Local          *string
		Because        map[string]bool
	}

	textUser struct {
		UID         int
		Group       string
		Groups      set
		Description string
		Home, Shell string
		SSHKeys     set `json:"ssh_keys"`
		System      bool
	}

	textFile struct {
		Text, Source, Link *string
		Directory, Absent  bool
		Mode, User, Group  string
	}

	textStep struct {
		Run, From string
		Expect    *string
		WaitFor   *machine.WaitFor `json:"wait_for"`
		Reboot    bool
		Timeout   string
	}
)

// How long a step may take when it does not say. A reboot waits for firmware,
// kernel and every unit, perhaps on an emulated processor.
const (
	runTimeout    = time.Minute
	waitTimeout   = 2 * time.Minute
	rebootTimeout = 5 * time.Minute
)

func (s set) sorted() []string { return slices.Sorted(maps.Keys(s)) }

// decode turns the joined value into a machine. It checks what the schema
// cannot say: that one of several options is given, and what needs the disk.
func (e *evaluation) decode() (Problems, error) {
	text, err := e.joined.MarshalJSON()
	if err != nil {
		return nil, translate(err, e.where, nil)
	}
	var t textMachine
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // numbers for the kernel keep all their digits
	if err := decoder.Decode(&t); err != nil {
		return nil, fmt.Errorf("decode the evaluated machine: %w", err)
	}
	m := &machine.Machine{
		Name: t.Name, Base: t.Base, Hostname: t.Hostname, Timezone: t.Timezone, Locale: t.Locale, Network: t.Network,
		Debian: machine.Debian{
			Suite: t.Debian.Suite, Suites: t.Debian.Suites.sorted(), Updates: t.Debian.Updates, Security: t.Debian.Security,
			Components: t.Debian.Components.sorted(), Architecture: t.Debian.Architecture,
			ForeignArchitectures: foreign(&t), Recommends: t.Debian.Recommends, Mirror: t.Debian.Mirror,
		},
		Kernel:       machine.Kernel{Package: t.Kernel.Package, Parameters: t.Kernel.Parameters.sorted(), Modules: t.Kernel.Modules.sorted()},
		Disk:         machine.Disk{Size: size(t.Disk.Size), ESP: size(t.Disk.ESP), Swap: size(t.Disk.Swap)},
		Persist:      t.Persist.sorted(),
		Groups:       t.Groups,
		Repositories: map[string]machine.Repository{}, Packages: map[string]machine.Package{}, Exclude: map[string]string{}, Users: map[string]machine.User{}, Files: map[string]machine.File{},
		Units: map[string]machine.Unit{}, Sysctl: map[string]string{}, Tests: map[string][]machine.Step{},
	}
	var problems Problems
	e.consulted = map[string]string{}
	if m.Debian.Snapshot, err = moment(t.Debian.Snapshot); err != nil {
		problems = append(problems, Problem{Place: e.place("debian", "snapshot"), Path: "debian.snapshot", Message: err.Error()})
	}
	problems = append(problems, e.repositories(m, t.Repositories)...)
	for name, p := range t.Packages {
		wish, found := e.packageWish(m, name, p)
		problems = append(problems, found...)
		m.Packages[name] = wish
	}
	for name, x := range t.Exclude {
		m.Exclude[name] = e.because(x.Because, "exclude", name)
	}
	for name, u := range t.Users {
		m.Users[name] = machine.User{
			UID: u.UID, Group: u.Group, Groups: u.Groups.sorted(), Description: u.Description,
			Home: u.Home, Shell: u.Shell, SSHKeys: u.SSHKeys.sorted(), System: u.System,
		}
	}
	for name, f := range t.Files {
		file, found := e.content(name, f)
		problems = append(problems, found...)
		m.Files[name] = file
	}
	for name, u := range t.Units {
		m.Units[name] = machine.Unit{Enable: u.Enable, Mask: u.Mask, Text: u.Text, DropIns: u.DropIns}
		if u.Mask && u.Enable != nil && *u.Enable {
			problems = append(problems, Problem{Place: e.labelled("units", name), Path: PathOf([]string{"units", name}), Message: "both masked and enabled", Remedy: "a masked unit never starts"})
		}
	}
	for name, v := range t.Sysctl {
		m.Sysctl[name] = sysctl(v)
	}
	for name, answers := range t.Debconf {
		if m.Debconf == nil {
			m.Debconf = map[string]map[string]string{}
		}
		m.Debconf[name] = map[string]string{}
		for question, v := range answers {
			m.Debconf[name][question] = answer(v)
		}
	}
	for name, c := range t.Checks {
		if !c.Enable {
			continue
		}
		if m.Checks == nil {
			m.Checks = map[string]machine.BuildCheck{}
		}
		m.Checks[name] = machine.BuildCheck{Command: c.Command, Files: c.Files.sorted()}
	}
	m.Adopt = t.Adopt
	problems = append(problems, e.adoption(t.Adopt)...)
	health, found := e.health(t.Health)
	m.Health, problems = health, append(problems, found...)
	for name, steps := range t.Tests {
		for i, s := range steps {
			step, found := e.step(s, "tests", name, strconv.Itoa(i))
			problems = append(problems, found...)
			m.Tests[name] = append(m.Tests[name], step)
		}
	}
	e.machine = m
	return problems, nil
}

// because names the options and modules that want something; nobody when a
// person wrote it.
func (e *evaluation) because(who map[string]bool, path ...string) string {
	if e.isWritten(path...) {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(who)), ", ")
}

// foreign lists the declared foreign architectures and those that packages
// are wanted from.
func foreign(t *textMachine) []string {
	all := set{}
	maps.Copy(all, t.Debian.Foreign)
	for name := range t.Packages {
		if _, architecture, qualified := strings.Cut(name, ":"); qualified && architecture != "native" {
			all[architecture] = nil
		}
	}
	delete(all, t.Debian.Architecture)
	return all.sorted()
}

// size reads what the schema has checked: a number and a unit. Nothing is 0.
func size(text string) int64 {
	if text == "" {
		return 0
	}
	n, _ := strconv.ParseInt(text[:len(text)-1], 10, 64)
	return n << map[byte]uint{'M': 20, 'G': 30, 'T': 40}[text[len(text)-1]]
}

// sysctl writes a value as sysctl.d(5) wants it.
func sysctl(v any) string {
	switch x := v.(type) {
	case bool:
		if x {
			return "1"
		}
		return "0"
	default:
		return fmt.Sprint(x)
	}
}

// answer writes a value as debconf stores it: of a list, the members with
// commas between them (debconf-devel(7)).
func answer(v any) string {
	list, ok := v.([]any)
	if !ok {
		return fmt.Sprint(v)
	}
	members := make([]string, 0, len(list))
	for _, member := range list {
		members = append(members, strings.ReplaceAll(fmt.Sprint(member), ",", `\,`))
	}
	return strings.Join(members, ", ")
}

// volatile are directories that every boot makes anew, or that are Stet's.
var volatile = []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/stet", "/efi", "/boot"}

// content decides what a declared file is. What a person writes replaces a
// default of another kind, such as a source: for a generated text.
func (e *evaluation) content(name string, f textFile) (machine.File, Problems) {
	var problems Problems
	fail := func(place Place, message, remedy string, field ...string) {
		problems = append(problems, Problem{Place: place, Path: PathOf(append([]string{"files", name}, field...)), Message: message, Remedy: remedy})
	}
	for _, dir := range volatile {
		if name == dir || strings.HasPrefix(name, dir+"/") {
			fail(e.labelled("files", name), "nothing can be declared below "+dir, "it is made anew at every boot, or belongs to Stet")
		}
	}
	given := map[string]bool{"text": f.Text != nil, "source": f.Source != nil, "link": f.Link != nil, "directory": f.Directory, "absent": f.Absent}
	maps.DeleteFunc(given, func(_ string, is bool) bool { return !is })
	if len(given) > 1 {
		maps.DeleteFunc(given, func(kind string, _ bool) bool {
			return !e.isWritten("files", name, kind) && e.isDefault("files", name, kind)
		})
	}
	kinds := slices.Sorted(maps.Keys(given))
	file := machine.File{User: f.User, Group: f.Group}
	mode, err := strconv.ParseUint(f.Mode, 8, 32)
	if err != nil {
		fail(e.place("files", name, "mode"), "not an octal mode: "+f.Mode, "", "mode")
	}
	file.Mode = uint32(mode)
	switch {
	case len(kinds) == 0:
		fail(e.labelled("files", name), "says nothing about its content", "write one of text, source, link, directory: true and absent: true")
	case len(kinds) > 1:
		fail(e.labelled("files", name), "has "+strings.Join(kinds, " and "), "a file has one of them")
	case given["text"]:
		file.Kind, file.Text = machine.FileText, *f.Text
	case given["source"]:
		clean, problem, remedy := source(e.texts.dir, *f.Source)
		if problem != "" {
			fail(e.place("files", name, "source"), problem, remedy, "source")
		}
		if _, content := e.consulted[clean]; !content {
			e.consulted[clean] = ""
		}
		file.Kind, file.Source = machine.FileSource, clean
	case given["link"]:
		file.Kind, file.Link = machine.FileLink, *f.Link
	case given["directory"]:
		file.Kind = machine.FileDirectory
	case given["absent"]:
		file.Kind = machine.FileAbsent
	}
	return file, problems
}

// consult notes that a file's content decided something.
func (e *evaluation) consult(name string, content []byte) {
	sum := sha256.Sum256(content)
	e.consulted[name] = hex.EncodeToString(sum[:])
}

// isDefault says whether an option has a value only because nobody gave one.
func (e *evaluation) isDefault(elements ...string) bool {
	v := lookup(e.joined, elements)
	_, is := v.Default()
	op, _ := v.Expr()
	return is || op == cue.OrOp
}

// step checks one step of a test and fills in its defaults.
func (e *evaluation) step(s textStep, path ...string) (machine.Step, Problems) {
	var problems Problems
	fail := func(message, remedy string) {
		place := e.place(path...)
		problems = append(problems, Problem{Place: place, Path: PathOf(path), Message: message, Remedy: remedy})
	}
	step := machine.Step{Run: s.Run, From: s.From, Expect: s.Expect, WaitFor: s.WaitFor, Reboot: s.Reboot}
	kinds, timeout := 0, runTimeout
	if s.Run != "" {
		kinds++
		if step.From == "" {
			step.From = "guest"
		}
	} else if s.From != "" || s.Expect != nil {
		fail("from and expect need run", "")
	}
	if s.WaitFor != nil {
		kinds, timeout = kinds+1, waitTimeout
		if (s.WaitFor.Port == 0) == (s.WaitFor.Unit == "") {
			fail("wait_for has one of port and unit", "")
		}
	}
	if s.Reboot {
		kinds, timeout = kinds+1, rebootTimeout
	}
	if kinds != 1 {
		fail("a step has exactly one of run, wait_for and reboot", "")
	}
	if s.Timeout != "" {
		parsed, err := time.ParseDuration(s.Timeout)
		if err != nil || parsed <= 0 {
			fail("not a time: "+s.Timeout, "write a time such as 30s or 5m")
		}
		timeout = parsed
	}
	step.Timeout = machine.Duration(timeout)
	return step, problems
}
