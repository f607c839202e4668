package cli

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path"
	"strings"

	"stet/internal/build"
	"stet/internal/config"
	"stet/internal/machine"
	"stet/internal/past"
	"stet/internal/plan"
	"stet/internal/store"
	"stet/internal/system"
	"stet/internal/unit"
)

// whySystem is a system that is asked about its packages and units.
type whySystem struct {
	*build.Installed
	digest   string
	store    *store.Store
	manifest *system.Manifest
	past     *past.Reader
	loader   *unit.Loader // made when it is first needed
}

func openSystem(s *store.Store, digest string) (*whySystem, error) {
	installed, err := build.ReadInstalled(s, digest)
	if err != nil {
		return nil, err
	}
	manifest, err := readManifest(s, digest)
	return &whySystem{Installed: installed, digest: digest, store: s, manifest: manifest, past: past.NewReader(s)}, err
}

// lastBuild opens the last built system of a machine; nil when there is none. The
// store is only read, so that anybody can ask.
func (a *app) lastBuild(c *config.Configuration, m *machine.Machine) (*whySystem, error) {
	dir, err := a.storeDir()
	if err != nil {
		return nil, err
	}
	s, err := store.OpenReadOnly(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record, ok := s.Root(rootName(c.Dir, m.Name))
	if !ok {
		return nil, nil
	}
	var p buildRecord
	if err := json.Unmarshal(record, &p); err != nil || p.System == "" {
		return nil, errors.New("the record of the last build cannot be read: `stet build` makes it again")
	}
	return openSystem(s, p.System)
}

// makers are the packages that a thing comes from, and what it is in a system.
func (s *whySystem) makers(word string) (past.Thing, []string, error) {
	switch named := s.Named(word); {
	case strings.HasPrefix(word, "/"):
		owners, err := s.Owners(path.Clean(word))
		return past.Thing{Kind: past.File, Name: path.Clean(word)}, owners, err
	case len(named) > 0:
		return past.Thing{Kind: past.Package, Name: named[0]}, named, nil
	case s.HasAccount(word), s.HasGroup(word):
		kind := past.User
		if !s.HasAccount(word) {
			kind = past.Group
		}
		owners, err := s.AccountMakers(word)
		return past.Thing{Kind: kind, Name: word}, owners, err
	}
	if variable := (past.Thing{Kind: past.Variable, Name: word}); strings.Contains(word, ".") {
		if set, err := s.has(variable); err != nil || set {
			setters, errOf := s.VariableSetters(word)
			return variable, setters, errors.Join(err, errOf)
		}
	} else {
		word += ".service"
	}
	owners, err := s.Owners("/usr/lib/systemd/system/" + unit.FileName(word))
	return past.Thing{Kind: past.Unit, Name: word}, owners, err
}

// has says whether the system has a thing.
func (s *whySystem) has(thing past.Thing) (bool, error) {
	look, err := s.past.Look(s.digest, thing)
	return look.Has(), err
}

// depend fills in who depends on what a report is about.
func (s *whySystem) depend(r *whyReport) (err error) {
	var loader *unit.Loader
	if kind := r.thing.Kind; kind == past.Unit || kind == past.User || kind == past.File {
		if loader, err = s.units(); err != nil {
			return err
		}
	}
	switch r.thing.Kind {
	case past.Package:
		r.NeededBy = s.Needing(r.thing.Name)
	case past.Unit:
		r.Units, err = loader.Needing(r.thing.Name)
	case past.User:
		r.Units, err = loader.RunAs(r.thing.Name)
	case past.File:
		if len(r.Packages) == 0 {
			if r.ShippedBy, err = s.Owners(r.thing.Name); err != nil {
				return err
			}
		}
		r.Units, err = loader.Naming(r.thing.Name)
	}
	return err
}

// units finds the units of the system's manager.
func (s *whySystem) units() (*unit.Loader, error) {
	if s.loader == nil {
		files, err := plan.UnitFiles(s.store, plan.System{Trees: s.manifest.Trees})
		if err != nil {
			return nil, err
		}
		s.loader = unit.NewLoader(files, unit.SystemPath())
	}
	return s.loader, nil
}
