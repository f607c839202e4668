package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"stet/internal/machine"
	"stet/internal/signature"
	"stet/internal/similar"
)

// maxKey is far above any keyring that a repository has.
const maxKey = 4 << 20

// moment reads the date of a snapshot: a day means its beginning.
func moment(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if len(text) == len(time.DateOnly) {
		text += "T00:00:00Z"
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return "", fmt.Errorf("%s is no day of the calendar", strings.TrimSuffix(text, "T00:00:00Z"))
	}
	return at.UTC().Format(time.RFC3339), nil
}

// repositories decides what each declared repository is.
func (e *evaluation) repositories(m *machine.Machine, declared map[string]textRepository) Problems {
	var problems Problems
	for name, t := range declared {
		fail := func(place Place, message, remedy string, field ...string) {
			problems = append(problems, Problem{Place: place, Path: PathOf(append([]string{"repositories", name}, field...)), Message: message, Remedy: remedy})
		}
		r := machine.Repository{URL: strings.TrimRight(t.URL, "/"), Suite: t.Suite, Components: t.Components.sorted()}
		flat := strings.HasSuffix(t.Suite, "/")
		switch {
		case flat && len(r.Components) > 0:
			fail(e.place("repositories", name, "components"), "a flat repository has no components", "take them out, or name a suite that does not end in \"/\"", "components")
		case !flat && len(r.Components) == 0:
			r.Components = []string{"main"}
		}
		if slices.Contains(m.Debian.Own(), name) || slices.Contains(m.Debian.Suites, name) || name == "local" || name == "synthetic" {
			fail(e.labelled("repositories", name), fmt.Sprintf("the name %q is taken by a suite of Debian, or by Stet", name), "give the repository another one")
		}
		var problem, remedy string
		if r.Key, problem, remedy = e.readKey(t.Key); problem != "" {
			fail(e.place("repositories", name, "key"), problem, remedy, "key")
		}
		m.Repositories[name] = r
	}
	return problems
}

// readKey gives armored keys from their text, or from a file of the repository.
func (e *evaluation) readKey(text string) (armored, problem, remedy string) {
	const howTo = "export it with: gpg --armor --export FINGERPRINT"
	from := "it"
	var data []byte
	if !strings.Contains(text, "-----BEGIN") {
		dir := e.texts.dir
		clean, problem, remedy := source(dir, text)
		if problem != "" {
			return "", problem, remedy
		}
		from = text
		var err error
		if data, err = readBounded(dir, clean, maxKey); err != nil {
			return "", fmt.Sprintf("%s cannot be read: %s", text, cause(err)), ""
		}
		e.consult(clean, data)
	} else {
		data = []byte(strings.TrimSpace(text) + "\n")
	}
	if _, err := signature.ParseKeys(data); errors.Is(err, signature.ErrPrivate) {
		return "", from + " has a private key, which must stay with its owner", howTo
	} else if err != nil {
		return "", from + " has no OpenPGP public key that can be read", howTo
	}
	armored, err := signature.Armored(data)
	if err != nil {
		return "", err.Error(), howTo
	}
	return armored, "", ""
}

func readBounded(dir, name string, most int64) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("it has more than %d MB", most>>20)
	}
	return root.ReadFile(name)
}

// packageWish decides what one member of packages asks for.
func (e *evaluation) packageWish(m *machine.Machine, name string, t textPackage) (machine.Package, Problems) {
	var problems Problems
	fail := func(message, remedy string, field ...string) {
		elements := append([]string{"packages", name}, field...)
		place := e.place(elements...)
		if len(field) == 0 {
			place = e.labelled(elements...)
		}
		problems = append(problems, Problem{Place: place, Path: PathOf(elements), Message: message, Remedy: remedy})
	}
	p := machine.Package{Suite: t.Suite, Version: t.Version, Hold: t.Hold, Recommends: t.Recommends, Because: e.because(t.Because, "packages", name)}
	if t.Suite != "" {
		if remedy, known := declares(m, t.Suite); !known {
			fail(fmt.Sprintf("neither a suite of this machine nor a repository is called %q", t.Suite), remedy, "suite")
		}
	}
	if t.Local == nil {
		return p, problems
	}
	if t.Suite != "" || t.Version != "" || t.Hold {
		fail("a local package has neither suite, version nor hold", "what the file is decides")
		return p, problems
	}
	local, problem, remedy := readLocal(e.texts.dir, *t.Local, name, m.Debian.Architecture)
	if problem != "" {
		fail(problem, remedy, "local")
	}
	if local != nil {
		e.consulted[local.Path] = local.SHA256
	}
	p.Local = local
	return p, problems
}

// declares says whether a machine has a suite or a repository of that name.
func declares(m *machine.Machine, suite string) (remedy string, known bool) {
	names := append(m.Debian.Own(), m.Debian.Suites...)
	names = append(names, slices.Sorted(maps.Keys(m.Repositories))...)
	if slices.Contains(names, suite) {
		return "", true
	}
	own := m.Debian.Suite
	switch suite {
	case own + "-security":
		return "write debian: {security: true}", false
	case own + "-updates":
		return "write debian: {updates: true}", false
	}
	if near := similar.Nearest(suite, append(names, own+"-backports", own+"-security", own+"-updates")); near != "" {
		if slices.Contains(names, near) {
			return fmt.Sprintf("did you mean %q?", near), false
		}
		if suite != near {
			return fmt.Sprintf("did you mean %q? Declare it: debian: {suites: [%s]}", near, near), false
		}
	}
	return fmt.Sprintf("declare it: debian: {suites: [%s]}, or below repositories", suite), false
}
