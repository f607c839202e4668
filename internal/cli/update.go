package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/lock"
	"stet/internal/mirror"
	"stet/internal/solve"
)

// movedItem is a package that came, went or changed.
type movedItem struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	From         string `json:"from,omitempty"`    // version
	To           string `json:"to,omitempty"`      // version
	Archive      string `json:"archive,omitempty"` // where To is from
	Fixes        string `json:"fixes,omitempty"`   // the security suite that has the fix
}

// heldItem is a package that would have moved.
type heldItem struct {
	Machine string `json:"machine"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Newer   string `json:"newer"`
	Archive string `json:"archive"`
}

// checkUpdate refuses what cannot be moved or accepted, and notes what may be
// older.
func checkUpdate(o *lockOptions, c *config.Configuration, old *lock.Lock) error {
	u := &o.update
	for name := range u.Packages {
		if old == nil || !slices.ContainsFunc(old.Packages, func(p lock.Package) bool { return p.Name == name }) {
			return wrongInput(fmt.Errorf("package %s is not in %s", name, lock.FileName), "name packages that are locked, or none to update all")
		}
		for _, machine := range c.Names() {
			for wished, p := range c.Machines[machine].Packages {
				if plain, _, _ := strings.Cut(wished, ":"); plain == name && p.Hold {
					return wrongInput(fmt.Errorf("package %s is held by machine %s", name, machine), fmt.Sprintf("take hold: true out of packages.%s", wished))
				}
			}
		}
	}
	if u.Security && !slices.ContainsFunc(c.Names(), func(name string) bool {
		d := c.Machines[name].Debian
		return slices.ContainsFunc(append(d.Own(), d.Suites...), func(suite string) bool { return strings.HasSuffix(suite, "-security") })
	}) {
		return wrongInput(errors.New("no machine has a security suite"), "write debian: {security: true}")
	}
	for _, id := range o.older {
		if old == nil {
			return wrongInput(fmt.Errorf("--allow-older %s: there is no %s yet", id, lock.FileName), "the first lock takes archives as they are")
		}
		if _, ok := old.Archive(id); !ok {
			var names []string
			for _, a := range old.Archives {
				names = append(names, a.ID)
			}
			return wrongInput(fmt.Errorf("--allow-older %s: %s has no such archive", id, lock.FileName), "it has "+strings.Join(names, ", "))
		}
		if u.Older == nil {
			u.Older = map[string]bool{}
		}
		u.Older[id] = true
	}
	return nil
}

func (a *app) printMoves(report lockReport, u build.Update) {
	architectures := map[string]int{}
	for _, m := range report.Moved {
		architectures[m.Name]++
	}
	for _, m := range report.Moved {
		if architectures[m.Name] > 1 && m.Architecture != "all" { // libc6 for amd64 and for i386
			m.Name += ":" + m.Architecture
		}
		fmt.Fprintln(a.Stdout, describeMove(m))
	}
	for _, h := range report.Held {
		fmt.Fprintf(a.Stdout, "= %s %s is held by %s; %s has %s\n", h.Name, h.Version, h.Machine, h.Archive, h.Newer)
	}
	if !u.None() && len(report.Moved) == 0 {
		fmt.Fprintln(a.Stdout, nothingMoved(u))
	}
}

func nothingMoved(u build.Update) string {
	switch {
	case u.Security:
		return "no security suite has a fix for what is locked"
	case len(u.Packages) > 0:
		return "nothing newer"
	}
	return "nothing moved"
}

func describeMove(m movedItem) string {
	from := m.Archive
	if m.Fixes != "" && m.Fixes != m.Archive {
		from += ", with the fix of " + m.Fixes
	}
	switch {
	case m.From == "":
		return fmt.Sprintf("+ %s %s (%s)", m.Name, m.To, from)
	case m.To == "":
		return fmt.Sprintf("- %s %s", m.Name, m.From)
	}
	return fmt.Sprintf("~ %s %s → %s (%s)", m.Name, m.From, m.To, from)
}

// moved compares two locks by name and architecture.
func moved(old *lock.Lock, resolved *build.Resolved) []movedItem {
	type id struct{ name, architecture string }
	var order []id
	came, went := map[id][]lock.Package{}, map[id][]lock.Package{}
	collect := func(from, other *lock.Lock, into map[id][]lock.Package) {
		if from == nil {
			return
		}
		for _, p := range from.Packages {
			if other != nil {
				if same, ok := other.Package(p.Key()); ok && same.SHA256 == p.SHA256 {
					continue
				}
			}
			key := id{p.Name, p.Architecture}
			order = append(order, key)
			into[key] = append(into[key], p)
		}
	}
	next := resolved.Lock
	collect(old, next, went)
	collect(next, old, came)
	slices.SortFunc(order, func(a, b id) int {
		return slices.Compare([]string{a.name, a.architecture}, []string{b.name, b.architecture})
	})
	items := []movedItem{}
	for _, key := range slices.Compact(order) {
		from, to := went[key], came[key]
		for len(from) > len(to) { // machines had several versions
			items = append(items, movedItem{Name: key.name, Architecture: key.architecture, From: from[0].Version})
			from = from[1:]
		}
		for i, p := range to {
			item := movedItem{Name: key.name, Architecture: key.architecture, To: p.Version, Archive: p.Archive, Fixes: resolved.Fixes[p.Key()]}
			switch {
			case p.Synthetic:
				item.Archive = "made by Stet"
			case p.Local:
				item.Archive = p.Path
			}
			if i < len(from) {
				item.From = from[i].Version
			}
			items = append(items, item)
		}
	}
	return items
}

func held(all []build.Held) []heldItem {
	var items []heldItem
	for _, h := range all {
		items = append(items, heldItem{h.Machine, h.Name, h.Version, h.Newer, h.Archive})
	}
	return items
}

// explainLock tells wrong wishes from failures: the former are input.
func explainLock(err error) error {
	var wants *solve.WantError
	var depends *solve.DependencyError
	var conflicts *solve.ConflictError
	var circle *solve.CircleError
	var suite *build.SuiteError
	var two *build.TwoPackagesError
	var repositories *build.RepositoryError
	var future *build.FutureSnapshotError
	var local *build.LocalError
	var gone *mirror.GoneError
	var older *mirror.OlderError
	var none *mirror.NoSuiteError
	var index *mirror.NoIndexError
	switch {
	case errors.As(err, &wants), errors.As(err, &depends), errors.As(err, &conflicts), errors.As(err, &circle), errors.As(err, &suite), errors.As(err, &future):
		return wrongInput(err, "")
	case errors.As(err, &two):
		return wrongInput(err, "give one of them a version of its own")
	case errors.As(err, &repositories):
		return wrongInput(err, "give one of them another name")
	case errors.As(err, &local):
		return wrongInput(errors.New(local.Problem()), "`stet lock` takes it as it is now")
	case errors.As(err, &index):
		return wrongInput(err, "")
	case errors.As(err, &gone):
		return &Failure{Code: ExitFailed, Err: err, Remedy: "`stet update` moves to packages that the mirrors have"}
	case errors.As(err, &older):
		id := older.Archive.Name
		if older.Archive.URL == "" {
			id = older.Archive.Suite
		}
		return &Failure{Code: ExitFailed, Err: err, Remedy: fmt.Sprintf("name another mirror with --mirror, or take the older one with --allow-older %s", id)}
	case errors.As(err, &none):
		for _, fix := range []string{"security", "updates"} {
			if none.Archive.URL == "" && strings.HasSuffix(none.Archive.Suite, "-"+fix) {
				return &Failure{Code: ExitFailed, Err: err, Remedy: fmt.Sprintf("a machine does without it where debian: {%s: false} says so", fix)}
			}
		}
	}
	return err
}
