package residue

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
)

// ServiceRule is what a rule says of a service's state: its data in /var, and
// those parts of /etc that are its own and not the generation's.
type ServiceRule struct {
	Name    string   // unique in the table; names the unit that makes the state
	Each    string   // pattern of paths in the root; one state for each, see [Rule.Instances]
	Units   []string // that need the state before they start
	Start   []string // units that exist only once the state was made
	Clear   []string // directories emptied when making was interrupted
	Persist []string // paths below /etc that outlive a boot; all else there is the generation's
	Migrate string   // how data of an older version is taken over
	Needs   string   // the package of that older version, which Migrate runs programs of
}

func parseService(s debian.Stanza) *ServiceRule {
	return &ServiceRule{
		Name: s.Get("Service"), Each: s.Get("Each"), Units: strings.Fields(s.Get("Units")), Start: strings.Fields(s.Get("Start")),
		Clear: strings.Fields(s.Get("Clear")), Persist: strings.Fields(s.Get("Persist")), Migrate: s.Get("Migrate"), Needs: s.Get("Needs"),
	}
}

func (r *Rule) checkService() error {
	s := r.Service
	switch {
	case s.Name == "" || r.Package == "":
		return errors.New("a service has Service and Package")
	case r.Make != "" && (r.Done == "" || len(s.Clear) == 0):
		return errors.New("a service that is made has Done and Clear too")
	case r.Make == "" && len(s.Persist) == 0:
		return errors.New("a service has Make, Persist or both")
	case (s.Migrate == "") != (s.Needs == ""):
		return errors.New("a service has both Migrate and Needs, or neither")
	case s.Each != "" && strings.Count(s.Each, "*") != 1:
		return fmt.Errorf("%q: Each has one \"*\"", s.Each)
	}
	for _, p := range s.Persist {
		if !strings.HasPrefix(p, "/etc/") || path.Clean(p) != p {
			return fmt.Errorf("%q: what persists is a path below /etc", p)
		}
	}
	for _, dir := range s.Clear {
		if !slices.ContainsFunc(r.Patterns, func(pattern string) bool { return matches(pattern, dir+"/x") }) {
			return fmt.Errorf("%q: what is cleared is in none of the Paths", dir)
		}
	}
	return nil
}

// Instance is one state of a service that is to be made.
type Instance struct {
	Rule
	Name string // of the service, and of the instance if there can be several
}

// Instances gives the states that a service has on a machine. One with Each
// has a state for each path that the pattern matches; what the "*" stands for
// takes the place of "%i" in every field.
func (r *Rule) Instances(paths []string) []Instance {
	if r.Service.Each == "" {
		return []Instance{{Rule: *r, Name: r.Service.Name}}
	}
	before, after, _ := strings.Cut(r.Service.Each, "*")
	var out []Instance
	for _, name := range paths {
		if ok, err := path.Match(r.Service.Each, name); !ok || err != nil {
			continue
		}
		instance := strings.TrimSuffix(strings.TrimPrefix(name, before), after)
		out = append(out, Instance{Rule: r.with(instance), Name: r.Service.Name + "-" + instance})
	}
	return out
}

// with puts an instance into the fields of a rule.
func (r *Rule) with(instance string) Rule {
	fill := func(text string) string { return strings.ReplaceAll(text, "%i", instance) }
	all := func(list []string) []string {
		out := make([]string, 0, len(list))
		for _, text := range list {
			out = append(out, fill(text))
		}
		return out
	}
	out, service := *r, *r.Service
	out.Done, out.Make = fill(r.Done), fill(r.Make)
	service.Units, service.Start, service.Clear = all(service.Units), all(service.Start), all(service.Clear)
	service.Migrate, service.Needs = fill(service.Migrate), fill(service.Needs)
	out.Service = &service
	return out
}
