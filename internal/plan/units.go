package plan

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"stet/internal/unit"
)

// scope is one manager with what is thought of its units.
type scope struct {
	*maker
	user     string
	old, new *unit.Loader
	running  map[string]*judged // by id
	judged   map[string]*judged // those and the ones to start

	relations map[relation][]string
}

// judged is what is thought of one unit.
type judged struct {
	RunningUnit
	old, new *unit.Effective
	keep     *keeping // why it must not be restarted; nil when it may
	action   Action   // empty: it goes on, and nothing is owed
	reasons  []Reason
	seesOld  bool // the only reason to restart is that it sees old trees
	mended   bool // it failed, and something of it is another
}

// keeping is why a unit must go on, and until when.
type keeping struct {
	until Until
	why   string
	stop  bool // not even stopped when it is removed
}

func (j *judged) because(why Why, what string) {
	if r := (Reason{why, what}); !slices.Contains(j.reasons, r) {
		j.reasons = append(j.reasons, r)
	}
}

// isActive reports whether a unit is there for others: what is only failed is
// not.
func (j *judged) isActive() bool {
	return slices.Contains([]string{"active", "activating", "reloading", "refreshing"}, j.Active)
}

// goes reports whether the unit will not run any more.
func (j *judged) goes() bool { return j.action == Stop }

// isUp reports whether it runs until the trees are replaced, or is to start.
func (j *judged) isUp() bool { return j.isActive() && !j.goes() || j.action == Start }

// compareUnits says what is done to the units of one manager.
func (m *maker) compareUnits(manager *RunningManager) error {
	if !m.concerns(manager) {
		return nil
	}
	s := &scope{maker: m, user: manager.User, running: map[string]*judged{}, judged: map[string]*judged{}, relations: map[relation][]string{}}
	var err error
	if s.old, err = m.loader(m.old, &m.oldFiles, loadPath(s.user)); err != nil {
		return err
	}
	if s.new, err = m.loader(m.new, &m.newFiles, loadPath(s.user)); err != nil {
		return err
	}
	all := make([]*judged, len(manager.Units))
	for i, r := range manager.Units {
		all[i] = &judged{RunningUnit: r}
		s.running[r.Name], s.judged[r.Name] = all[i], all[i]
	}
	if err := s.load(all); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		if err := s.judge(s.running[name]); err != nil {
			return err
		}
	}
	s.tell()
	s.unwanted()
	s.pairAutomounts()
	s.pairSockets()
	s.keepWhatKeptOnesNeed()
	s.propagate()
	if err := s.startWanted(); err != nil {
		return err
	}
	s.propagate() // what stops to make way takes others along, too
	s.write()
	return nil
}

// load reads units of both systems, each system's by itself: that is most of a plan's time.
func (s *scope) load(all []*judged) error {
	var both errgroup.Group
	both.Go(func() (err error) {
		for _, j := range all {
			if j.old, err = s.old.Load(j.Name); err != nil {
				return err
			}
		}
		return nil
	})
	both.Go(func() (err error) {
		for _, j := range all {
			if j.new, err = s.new.Load(j.Name); err != nil {
				return err
			}
		}
		return nil
	})
	return both.Wait()
}

// concerns reports whether anything about the manager's units can be another:
// trees are replaced, or processes have files of older ones.
func (m *maker) concerns(manager *RunningManager) bool {
	if m.swaps("/usr") || m.swaps("/etc") {
		return true
	}
	return slices.ContainsFunc(manager.Units, func(u RunningUnit) bool {
		return slices.ContainsFunc(u.Maps, func(group Maps) bool { return group.Tree != m.new.Trees[usrTree] })
	})
}

// judge finds what a running unit needs by itself.
func (s *scope) judge(j *judged) error {
	j.keep = s.keeping(j)
	kind := unit.Type(j.Name)
	if kind == "device" || j.Name == "init.scope" {
		return nil
	}
	if !j.old.Missing() && (j.new.Missing() || j.new.Masked && !j.old.Masked) {
		s.judgeRemoved(j)
		return nil
	}
	if kind == "target" {
		if j.isActive() && j.new.Flag("X-StopOnReconfiguration", false) {
			j.action = StopStart
			j.because(WhyText, "[Unit] X-StopOnReconfiguration=")
		}
		return nil
	}
	if kind == "slice" || kind == "path" || j.Active == "inactive" {
		return nil // the manager does what they need when it reads them again
	}
	text := s.judgeText(j)
	files := s.judgeFiles(j)
	running, err := s.judgeProcesses(j)
	if err != nil {
		return err
	}
	if !j.isActive() {
		s.retry(j, text != unit.Equal || files != unit.Equal)
		return nil
	}
	switch {
	case running:
		j.action = Restart
	case max(text, files) == unit.Reload && s.canReload(j), text == unit.Restart && files != unit.Restart && s.canReload(j) && j.new.Flag("X-ReloadIfChanged", false):
		j.action = Reload
	case max(text, files) != unit.Equal:
		j.action = Restart
	}
	if j.action == Restart && text == unit.Restart && kind == "service" && j.new.Flag("X-StopIfChanged", true) {
		j.action = StopStart
	}
	if (j.action == Restart || j.action == StopStart) && j.keep != nil {
		s.keepOn(j, *j.keep)
	}
	return nil
}

// judgeRemoved is for units of which the new system has no file, or has them
// masked.
func (s *scope) judgeRemoved(j *judged) {
	why := WhyRemoved
	if j.new.Masked {
		why = WhyMasked
	}
	j.because(why, "")
	switch {
	case !j.isActive():
		j.reasons = nil
	case !j.old.Flag("X-StopOnRemoval", true):
		s.keepOn(j, keeping{until: UntilRestart, why: "X-StopOnRemoval="})
	case j.keep != nil && j.keep.stop:
		s.keepOn(j, *j.keep)
	default:
		j.action = Stop
	}
}

// retry notes failed units of which something is another: they start again, if
// somebody wants them.
func (s *scope) retry(j *judged, changed bool) {
	if j.mended = j.Active == "failed" && changed; !j.mended {
		j.reasons = nil
	}
}

// judgeText compares what the unit's files say.
func (s *scope) judgeText(j *judged) unit.Verdict {
	if j.old.Missing() || j.new.Missing() {
		return unit.Equal
	}
	verdict, differences := unit.Compare(j.old, j.new)
	for _, d := range differences {
		j.because(WhyText, d.String())
	}
	return verdict
}

// judgeFiles looks for changed files that the unit reads when it starts, or
// that it says it has to be told of.
func (s *scope) judgeFiles(j *judged) unit.Verdict {
	verdict := unit.Equal
	own := unit.Section(j.Name)
	look := func(name string, v unit.Verdict) bool {
		found, ok := "", false
		if strings.HasPrefix(name, "/") {
			found, ok = s.changed.at(name)
		}
		if ok {
			j.because(WhyFile, found)
			verdict = max(verdict, v)
		}
		return ok
	}
	told := map[string]bool{} // what it is told of decides, whatever else names the file
	for _, trigger := range []struct {
		key     string
		verdict unit.Verdict
	}{{"X-Reload-Triggers", unit.Reload}, {"X-Restart-Triggers", unit.Restart}} {
		for _, word := range append(j.new.List("Unit", trigger.key), j.new.List(own, trigger.key)...) {
			told[word] = true
			look(word, trigger.verdict)
		}
	}
	if j.new.Missing() || own != "Service" {
		return verdict
	}
	for _, name := range j.new.List("Service", "EnvironmentFile") {
		if name = strings.TrimPrefix(name, "-"); !told[name] {
			look(name, unit.Restart)
		}
	}
	for _, words := range s.commands(j) {
		for _, word := range words[1:] {
			if strings.HasPrefix(word, "/etc/") && !told[word] {
				look(word, unit.Restart)
			}
		}
	}
	return verdict
}

// commands gives the words of the commands that make up the unit while it runs.
func (s *scope) commands(j *judged) [][]string {
	var all [][]string
	for _, line := range j.new.Values("Service", "ExecStart") {
		if words := strings.Fields(line); len(words) > 0 {
			words[0] = mergedUsr(strings.TrimLeft(words[0], "@-:+!|"))
			all = append(all, words)
		}
	}
	return all
}

// judgeProcesses looks at what the unit's processes have: files that are others
// now, and namespaces that a replaced tree does not reach.
func (s *scope) judgeProcesses(j *judged) (restart bool, err error) {
	mapped := map[string]bool{}
	var old []string
	for _, group := range j.Maps {
		for _, name := range group.Paths {
			mapped[name] = true
			if s.isOld(group.Tree, name) {
				old = append(old, name)
			}
		}
	}
	if slices.Sort(old); len(old) > 0 {
		j.because(WhyMapped, counted(slices.Compact(old)))
		restart = true
	}
	for _, words := range s.commands(j) {
		if len(j.Maps) == 0 || mapped[words[0]] {
			continue // nothing runs, or the program itself is mapped
		}
		p, ok, err := s.changedPackage(words[0])
		if err != nil {
			return false, err
		}
		if ok {
			j.because(WhyPackage, p.Name+" "+p.Old+" → "+p.New)
			restart = true
		}
	}
	before := len(j.reasons)
	for _, place := range []string{"/usr", "/etc"} {
		if s.swaps(place) && j.Namespace.Holds(place) {
			j.because(WhyNamespace, place)
			restart = true
		}
	}
	j.seesOld = before == 0 && len(j.reasons) > 0
	return restart, nil
}

func counted(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %d more", names[0], len(names)-1)
}

// canReload reports whether the unit has a way to reload.
func (s *scope) canReload(j *judged) bool {
	return unit.Type(j.Name) == "mount" || len(j.new.Values("Service", "ExecReload")) > 0 || slices.Contains(j.new.Values("Service", "Type"), "notify-reload")
}

// keeping gives the reason why a unit must not restart, if there is one.
func (s *scope) keeping(j *judged) *keeping {
	part := append(j.new.Related("PartOf"), j.new.Related("BindsTo")...)
	if r, ok := s.table.kept(s.user, j.Name, part); ok {
		return &keeping{r.until, r.why, true}
	}
	switch {
	case unit.Type(j.Name) == "scope":
		return &keeping{UntilRestart, "no command starts a scope again", true}
	case strings.HasPrefix(j.Fragment, "/run/systemd/transient/"):
		return &keeping{UntilRestart, "it was made while the machine ran, and nothing describes it", true}
	case !j.new.Flag("X-RestartIfChanged", true):
		return &keeping{UntilRestart, "X-RestartIfChanged=", false}
	case j.new.Flag("X-OnlyManualStart", false):
		return &keeping{UntilRestart, "X-OnlyManualStart=", false}
	case j.new.Bool("Unit", "RefuseManualStop", false):
		return &keeping{UntilSoftReboot, "RefuseManualStop=", true}
	}
	return nil
}

// keepOn lets a unit go on, which is owed. One that only sees old trees owes
// nothing but its own restart.
func (s *scope) keepOn(j *judged, k keeping) {
	j.action = Keep
	j.because(WhyKept, k.why)
	if j.seesOld && k.until != UntilLogout {
		k.until = UntilRestart
	}
	s.owe(Debt{What: "unit " + j.Name, User: s.user, Until: k.until, Why: k.why})
}

// tell has the table's units reload or restart for the files they read.
func (s *scope) tell() {
	if s.user != "" {
		return
	}
	for _, r := range s.table.tell {
		if _, ok := s.changed.matching(r.paths); !ok {
			continue
		}
		for _, name := range r.reload {
			if j, ok := s.running[name]; ok && j.isActive() && !j.goes() && (j.action == "" || j.action == Keep) && s.canReload(j) {
				j.action = Reload // what is owed is owed all the same
				j.because(WhyTold, r.why)
			}
		}
		for _, name := range r.restart {
			if j, ok := s.running[name]; ok && j.isActive() && !j.goes() && (j.action == "" || j.action == Reload) {
				j.action = Restart
				j.because(WhyTold, r.why)
			}
		}
	}
}

// pairAutomounts has a mount go before its automount is another: it comes back
// when somebody looks.
func (s *scope) pairAutomounts() {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		automount := s.running[name]
		base, ok := strings.CutSuffix(name, ".automount")
		if !ok || automount.action != Restart && automount.action != Stop {
			continue
		}
		if automount.action == Restart {
			automount.action = StopStart
		}
		if mount, ok := s.running[base+".mount"]; ok && mount.isActive() && mount.keep == nil {
			mount.action = Stop
			mount.because(WhyWith, name)
		}
	}
}

// write puts what was decided into the plan.
func (s *scope) write() {
	for _, name := range s.order() {
		j := s.judged[name]
		u := Unit{UnitName{name, s.user}, j.action, j.reasons}
		s.plan.Units = append(s.plan.Units, u)
		s.noteMount(j)
	}
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		j := s.running[name]
		if s.swaps("/etc") && j.Namespace != nil && j.Namespace.ReadOnlyEtc && !j.Namespace.Holds("/etc") && j.action != Stop && j.action != StopStart {
			s.plan.Protect = append(s.plan.Protect, UnitName{name, s.user})
		}
	}
}

// noteMount lists what a mount or swap unit is about.
func (s *scope) noteMount(j *judged) {
	section := map[string]string{"mount": "Mount", "swap": "Swap"}[unit.Type(j.Name)]
	if section == "" || s.user != "" {
		return
	}
	source := func(e *unit.Effective) *MountSource {
		if e == nil || e.Missing() || e.Masked {
			return nil
		}
		last := func(key string) string {
			values := e.Values(section, key)
			if len(values) == 0 {
				return ""
			}
			return values[len(values)-1]
		}
		return &MountSource{last("What"), last("Type"), last("Options")}
	}
	m := Mount{Unit: j.Name, Old: source(j.old), New: source(j.new), Action: j.action}
	for _, e := range []*unit.Effective{j.old, j.new} {
		if e != nil {
			for _, where := range e.Values("Mount", "Where") {
				m.Where = path.Clean(where)
			}
		}
	}
	if section == "Swap" {
		m.Where = "swap"
	}
	s.plan.Mounts = append(s.plan.Mounts, m)
}
