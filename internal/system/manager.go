package system

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"stet/internal/debian"
	"stet/internal/tree"
)

// The places of dpkg's database and of what apt knows beyond it.
const (
	databaseDir    = "/var/lib/dpkg"
	extendedStates = "/usr/lib/sysimage/apt/extended_states"
)

//go:embed manager
var managerTexts embed.FS

// managerFiles are what a machine has beside its packages so that dpkg and apt
// read as on any Debian, and refuse to write with a line that names the way.
// They are there only with the program that reads them.
var managerFiles = []struct {
	needs string // a path of the root
	text  string // below manager/
	path  string
	mode  uint32
}{
	{"/usr/bin/dpkg", "refuse", "/usr/lib/stet/refuse", 0o755},
	{"/usr/bin/dpkg", "dpkg.cfg", "/etc/dpkg/dpkg.cfg.d/stet", 0o644},
	{"/usr/bin/apt-get", "apt.conf", "/etc/apt/apt.conf.d/90stet", 0o644},
}

// managerLocks are the files that dpkg and apt lock before they do anything.
// Programs that only look take those locks as well, and complain when they
// cannot open them to write. A FIFO can be opened so, and locked, where
// nothing can be written: its content is no matter of the file system.
var managerLocks = []string{databaseDir + "/lock", databaseDir + "/lock-frontend"}

// packageManager makes dpkg and apt at home.
func (c *composer) packageManager() error {
	for _, f := range managerFiles {
		if _, ok := c.files.Get(f.needs); !ok {
			continue
		}
		text, err := managerTexts.ReadFile("manager/" + f.text)
		if err != nil {
			return err
		}
		if err := c.putText(f.path, string(text), f.mode); err != nil {
			return err
		}
	}
	if _, ok := c.files.Get(databaseDir + "/status"); !ok {
		return nil
	}
	for _, name := range managerLocks {
		if err := c.put(tree.Entry{Path: name, Type: tree.FIFO, Mode: 0o640, Mtime: c.mtime}); err != nil {
			return err
		}
	}
	if err := c.passwords(); err != nil {
		return err
	}
	if _, ok := c.files.Get("/usr/bin/apt-get"); !ok {
		return nil
	}
	if err := c.autoInstalled(); err != nil {
		return err
	}
	return c.aptSources()
}

// passwords gives debconf an empty database of passwords in the place of the
// one that the build drops, because it complains about none.
func (c *composer) passwords() error {
	const dir = "/var/cache/debconf/"
	if _, ok := c.files.Get(dir + "config.dat"); !ok {
		return nil
	}
	return c.putText(dir+"passwords.dat", "", 0o600)
}

// autoInstalled tells apt which packages are there only because others need
// them: all but those that the configuration wishes for and its base. The
// format is that of apt's own file.
func (c *composer) autoInstalled() error {
	status, err := c.read(databaseDir + "/status")
	if err != nil {
		return err
	}
	packages, err := installed(status)
	if err != nil {
		return fmt.Errorf("%s/status: %w", databaseDir, err)
	}
	native := c.Machine.Debian.Architecture
	wished := wishes{c.Machine.Packages, c.Machine.Base, native, map[string]bool{}}
	for _, p := range packages {
		wished.installed[p.Name] = true
	}
	var text strings.Builder
	for _, p := range packages {
		if wished.has(&p) {
			continue
		}
		architecture := p.Architecture
		if architecture == "all" {
			architecture = native
		}
		fmt.Fprintf(&text, "Package: %s\nArchitecture: %s\nAuto-Installed: 1\n\n", p.Name, architecture)
	}
	return c.putText(extendedStates, text.String(), 0o644)
}

// installed reads dpkg's status file.
func installed(status string) ([]debian.Package, error) {
	var out []debian.Package
	for scanner := debian.NewScanner(strings.NewReader(status)); ; {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		p, err := debian.ParsePackage(stanza)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
}
