package facts

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"stet/internal/drift"
	"stet/internal/plan"
)

// kernel reads its variables, command line and modules.
func (m Machine) kernel(running plan.System, seen *drift.Seen) error {
	declared, err := plan.ReadDeclared(m.Store, running)
	if err != nil {
		return err
	}
	if seen.Variables, err = m.variables(slices.Collect(maps.Keys(declared.Sysctl))); err != nil {
		return err
	}
	text, err := os.ReadFile(m.at("proc/cmdline"))
	if err != nil {
		return err
	}
	seen.CommandLine = strings.TrimSpace(string(text))
	seen.Modules, err = m.tainting(seen.Facts.Booted.KernelVersion)
	return err
}

// variables reads kernel variables; those that this kernel does not have, or that
// nobody may read, are left out, and so are patterns.
func (m Machine) variables(names []string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range names {
		// A dot between the parts is a slash, and a slash in one is a dot (sysctl.d(5)).
		at := m.at(filepath.Join("proc/sys", strings.NewReplacer(".", "/", "/", ".").Replace(name)))
		text, err := os.ReadFile(at)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			continue
		case err != nil:
			return nil, fmt.Errorf("read the kernel variable %s: %w", name, err)
		}
		values[name] = strings.Join(strings.Fields(string(text)), " ")
	}
	return values, nil
}

// tainting lists the loaded modules that say of themselves that they are not of
// the kernel's own, and whether they are in the tree of modules that is mounted.
func (m Machine) tainting(version string) ([]drift.LoadedModule, error) {
	text, err := os.ReadFile(m.at("proc/modules"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel that loads none
	}
	if err != nil {
		return nil, err
	}
	all := parseModules(string(text))
	if len(all) == 0 {
		return nil, nil
	}
	dependencies, err := os.ReadFile(m.at(filepath.Join("usr/lib/modules", version, "modules.dep")))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	packaged := map[string]bool{}
	for line := range strings.Lines(string(dependencies)) {
		file, _, _ := strings.Cut(line, ":")
		name, _, _ := strings.Cut(path.Base(file), ".ko")
		packaged[strings.ReplaceAll(name, "-", "_")] = true
	}
	for i := range all {
		all[i].Packaged = packaged[all[i].Name]
	}
	return all, nil
}

// parseModules reads a proc_modules(5): those with a taint that says where they
// are from.
func parseModules(text string) (all []drift.LoadedModule) {
	for line := range strings.Lines(text) {
		// name size references dependents state address (taints)
		fields := strings.Fields(line)
		if len(fields) < 7 {
			continue
		}
		taint := strings.Trim(fields[6], "()")
		if strings.ContainsAny(taint, "OEF") {
			all = append(all, drift.LoadedModule{Name: fields[0], Taint: taint})
		}
	}
	return all
}
