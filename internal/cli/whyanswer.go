package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/config"
	"stet/internal/past"
	"stet/internal/similar"
)

// answer finds all that a word means.
func (q *question) answer(ctx context.Context, what string) ([]whyReport, error) {
	word := strings.TrimPrefix(what, ":")
	if strings.HasPrefix(word, "/") {
		word = path.Clean(word)
	}
	reports, err := q.optionsOf(ctx, word)
	if err != nil {
		return nil, err
	}
	if port, protocol, ok := config.ParsePort(word); ok && q.running != nil {
		if reports, err = q.listeners(ctx, word, port, protocol, reports); err != nil {
			return nil, err
		}
	}
	if len(reports) == 0 {
		report, err := q.ofPackage(ctx, word)
		if err != nil {
			return nil, err
		}
		reports = []whyReport{*report}
	}
	for n := range reports {
		if err := q.complete(&reports[n]); err != nil {
			return nil, err
		}
	}
	return reports, nil
}

// complete adds to a report what depends on its thing, and how that was.
func (q *question) complete(r *whyReport) error {
	r.Machine = q.machine
	if q.system != nil {
		if err := q.system.depend(r); err != nil {
			return err
		}
	}
	if q.running == nil {
		return nil
	}
	return q.running.tell(r)
}

// optionsOf reports on the options that a word means.
func (q *question) optionsOf(ctx context.Context, word string) ([]whyReport, error) {
	found := q.declared.find(word)
	name := word
	if unit, ok := unitOf(word); ok && len(found) == 0 {
		found, name = q.declared.find(unit), unit
	}
	var reports []whyReport
	for _, option := range found {
		causes, err := q.declared.causes(ctx, option)
		if err != nil {
			return nil, err
		}
		reports = append(reports, whyReport{What: option, Causes: causes, thing: thingOf(option, name)})
	}
	return reports, nil
}

// thingsOf are the options whose parts are things of a system, by their own names.
var thingsOf = map[string]past.Kind{
	"files": past.File, "units": past.Unit, "users": past.User, "groups": past.Group,
	"packages": past.Package, "sysctl": past.Variable, "kernel.parameters": past.Parameter,
}

// thingOf is the thing that an option stands for; the zero Thing when it is none
// that systems have by name.
func thingOf(option, name string) past.Thing {
	for block, kind := range thingsOf {
		if option == config.PathOf(append(strings.Split(block, "."), name)) {
			return past.Thing{Kind: kind, Name: name}
		}
	}
	return past.Thing{}
}

// unitOf is the unit whose file this is.
func unitOf(name string) (string, bool) {
	for _, dir := range []string{"/etc/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		if unit, ok := strings.CutPrefix(name, dir); ok && !strings.Contains(unit, "/") {
			return unit, true
		}
	}
	return "", false
}

// ofPackage looks into the system for the package that something comes from.
func (q *question) ofPackage(ctx context.Context, word string) (*whyReport, error) {
	if q.system == nil {
		return nil, wrongInput(fmt.Errorf("%s declares nothing that is called %s", q.machine, word), "`stet build` first: then the packages are known too")
	}
	thing, makers, err := q.system.makers(word)
	if err != nil {
		return nil, err
	}
	r := &whyReport{What: word, Causes: []whyCause{}, thing: thing}
	if len(makers) > 0 {
		return r, q.follow(ctx, r, makers)
	}
	if r, err := q.ofState(ctx, word); r != nil || err != nil {
		return r, err
	}
	has, err := q.system.has(thing)
	if err != nil {
		return nil, err
	}
	if !has {
		return nil, q.unknown(word)
	}
	r.Notes = []string{"no package ships " + word + ": scripts of packages, or Stet itself, made it in the build"}
	return r, nil
}

// follow fills in the shortest way from what is declared to one of some packages;
// else from what is in every base.
func (q *question) follow(ctx context.Context, r *whyReport, makers []string) (err error) {
	for _, wanted := range []func(name string) bool{q.declared.wants, func(name string) bool { return q.declared.hasInBase(q.system.Priority(name)) }} {
		for _, maker := range makers {
			chain := q.system.Chain(maker, wanted)
			if chain != nil && (r.Packages == nil || len(chain) < len(r.Packages)) {
				r.Packages = chain
			}
		}
		if r.Packages != nil {
			break
		}
	}
	if r.Packages == nil {
		r.Packages = makers[:1]
	}
	option := config.PathOf([]string{"packages", r.Packages[0]})
	if !q.declared.wants(r.Packages[0]) {
		option, r.Priority = "base", q.system.Priority(r.Packages[0])
	}
	slices.Reverse(r.Packages) // from the one that has it to the one that is wanted
	if r.thing.Kind == past.Package {
		r.thing.Name = r.Packages[0]
	}
	r.Causes, err = q.declared.causes(ctx, option)
	return err
}

// unknown says that a machine has nothing of a name, and which it may be.
func (q *question) unknown(word string) error {
	remedy := "name a path, a unit, a user, a package, a kernel variable, a port or an option"
	if q.running != nil && q.running.drifted(word) {
		return wrongInput(fmt.Errorf("%s is on this machine, and its system does not have it", word), "`stet drift` says what nobody declared")
	}
	if near := similar.Nearest(word, q.system.Names()); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	}
	return wrongInput(fmt.Errorf("%s has nothing that is called %s", q.machine, word), remedy)
}
