package build

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/store"
	"stet/internal/tree"
)

// Installed tells of the packages in a built system what its dpkg database
// says.
type Installed struct {
	*Database
	packages map[string]debian.Package // by name
}

// Places in the usr tree: declared accounts, units, and variables of the kernel; and in
// the etc tree.
const (
	sysusersPlace = "/lib/sysusers.d"
	unitsPlace    = "/lib/systemd/system"
	sysctlPlace   = "/lib/sysctl.d"
	etcUnitsPlace = "/systemd/system"
)

// ReadInstalled reads the database of a built system.
func ReadInstalled(s *store.Store, digest string) (*Installed, error) {
	d, err := OpenDatabase(s, digest)
	if err != nil {
		return nil, err
	}
	i := &Installed{Database: d, packages: map[string]debian.Package{}}
	status, err := i.read(databasePlace + "/status")
	if err != nil {
		return nil, err
	}
	for stanza := range bytes.SplitSeq(status, []byte("\n\n")) {
		if len(bytes.TrimSpace(stanza)) == 0 {
			continue
		}
		parsed, err := debian.ParseStanza(stanza)
		if err != nil {
			return nil, fmt.Errorf("read the database of system %s: %w", digest, err)
		}
		p, err := debian.ParsePackage(parsed)
		if err != nil {
			return nil, fmt.Errorf("read the database of system %s: %w", digest, err)
		}
		i.packages[p.Name] = p
	}
	return i, nil
}

// Has says whether a package is there.
func (i *Installed) Has(name string) bool {
	_, ok := i.packages[name]
	return ok
}

// Priority is a package's priority, as Debian has it.
func (i *Installed) Priority(name string) string {
	if p := i.packages[name]; p.Essential {
		return "essential"
	}
	return i.packages[name].Priority
}

// HasAccount says whether the system has a user of that name.
func (i *Installed) HasAccount(name string) bool { return slices.Contains(i.accounts("/passwd"), name) }

// HasGroup says whether the system has a group of that name.
func (i *Installed) HasGroup(name string) bool { return slices.Contains(i.accounts("/group"), name) }

// accounts are the names in passwd(5) or group(5).
func (i *Installed) accounts(file string) (names []string) {
	e, ok := i.etc.Lookup(file)
	if !ok || e.Size == 0 {
		return nil
	}
	text, err := i.store.ReadObject(e.Digest)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = append(names, name)
		}
	}
	return names
}

// Names are the packages, accounts and units that there are, sorted.
func (i *Installed) Names() []string {
	names := slices.Concat(slices.Collect(maps.Keys(i.packages)), i.accounts("/passwd"), i.accounts("/group"))
	for dir, of := range map[string]tree.Files{unitsPlace: i.usr, etcUnitsPlace: i.etc} {
		for e := range of.Below(dir) {
			if path.Dir(e.Path) == dir && e.Type != tree.Directory {
				names = append(names, path.Base(e.Path))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// AccountMakers are the packages that may have made an account: those whose
// sysusers.d(5) declares it, else those whose scripts name it where they make
// accounts, else base-passwd, which has all that are always there.
func (i *Installed) AccountMakers(name string) ([]string, error) {
	var makers []string
	declares := regexp.MustCompile(`(?m)^u!?\s+"?` + regexp.QuoteMeta(name) + `"?\s`)
	for e := range i.usr.Below(sysusersPlace) {
		if e.Type != tree.Regular {
			continue
		}
		text, err := i.read(e.Path)
		if err != nil {
			return nil, err
		}
		if declares.Match(text) {
			owners, err := i.Owners("/usr" + e.Path)
			if err != nil {
				return nil, err
			}
			makers = append(makers, owners...)
		}
	}
	if len(makers) == 0 {
		makes := regexp.MustCompile(`(?m)(adduser|useradd)\b`)
		names := regexp.MustCompile(`(^|[^A-Za-z0-9_.-])` + regexp.QuoteMeta(name) + `([^A-Za-z0-9_.-]|$)`)
		err := i.each(".postinst", func(p string, text []byte) {
			if makes.Match(text) && names.Match(text) {
				makers = append(makers, p)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	if len(makers) == 0 && i.Has("base-passwd") {
		makers = []string{"base-passwd"}
	}
	slices.Sort(makers)
	return slices.Compact(makers), nil
}

// VariableSetters are the packages whose sysctl.d(5) sets a variable of the kernel.
func (i *Installed) VariableSetters(name string) ([]string, error) {
	var setters []string
	sets := regexp.MustCompile(`(?m)^\s*-?` + strings.ReplaceAll(regexp.QuoteMeta(name), `\.`, `[./]`) + `\s*=`)
	for e := range i.usr.Below(sysctlPlace) {
		if e.Type != tree.Regular {
			continue
		}
		text, err := i.read(e.Path)
		if err != nil {
			return nil, err
		}
		if sets.Match(text) {
			owners, err := i.Owners("/usr" + e.Path)
			if err != nil {
				return nil, err
			}
			setters = append(setters, owners...)
		}
	}
	slices.Sort(setters)
	return slices.Compact(setters), nil
}
