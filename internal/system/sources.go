package system

import (
	"fmt"
	"strings"
	"time"

	"stet/internal/debian"
	"stet/internal/lock"
)

// aptSourcesFile is read by apt on the machine (sources.list(5)).
const aptSourcesFile = "/etc/apt/sources.list.d/debian.sources"

// keyrings are where the package debian-archive-keyring has its keys, the
// newest place first.
var keyrings = []string{"/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"}

// caBundle is there when the machine can tell whom it speaks to by TLS.
const caBundle = "/etc/ssl/certs/ca-certificates.crt"

// aptSources names the archives that the machine came from, so that apt finds
// what is installed: as they were when they were locked, or on the mirror that
// the configuration names.
func (c *composer) aptSources() error {
	var text strings.Builder
	text.WriteString("# Where this machine's packages came from. Nothing is installed from here\n# but by its configuration; apt reads it to tell about packages.\n")
	for _, a := range c.Origins {
		if a.Repository {
			stanza, err := c.repositorySource(a)
			if err != nil {
				return err
			}
			text.WriteString(stanza)
			continue
		}
		base, dated := c.archiveURL(a)
		fmt.Fprintf(&text, "\nTypes: deb deb-src\nURIs: %s\nSuites: %s\nComponents: %s\n", base, a.Suite, strings.Join(a.Components, " "))
		for _, name := range keyrings {
			if _, ok := c.files.Get(name); ok {
				fmt.Fprintf(&text, "Signed-By: %s\n", name)
				break
			}
		}
		if dated {
			text.WriteString("Check-Valid-Until: no\n") // its date is as old as the lock
		}
	}
	return c.putText(aptSourcesFile, text.String(), 0o644)
}

// repositorySource names a repository, and gives apt the keys that may sign for
// it and for nothing else.
func (c *composer) repositorySource(a lock.Archive) (string, error) {
	declared, ok := c.Machine.Repositories[a.Name]
	if !ok {
		return "", nil
	}
	stanza := fmt.Sprintf("\nTypes: deb\nURIs: %s\nSuites: %s\n", declared.URL, a.Suite)
	if len(a.Components) > 0 { // a flat one has none
		stanza += fmt.Sprintf("Components: %s\n", strings.Join(a.Components, " "))
	}
	key := "/etc/apt/keyrings/" + a.Name + ".asc"
	return stanza + "Signed-By: " + key + "\n", c.putText(key, declared.Key, 0o644)
}

// archiveURL gives the base URL of an archive, and whether it is that of one
// moment.
func (c *composer) archiveURL(a lock.Archive) (base string, dated bool) {
	if mirror := strings.TrimRight(c.Machine.Debian.Mirror, "/"); mirror != "" {
		dir, last := mirror[:strings.LastIndexByte(mirror, '/')+1], mirror[strings.LastIndexByte(mirror, '/')+1:]
		switch {
		case a.Name == "debian" || last == a.Name:
			return mirror, false
		case last == "debian": // mirrors have archives side by side
			return dir + a.Name, false
		}
	}
	service := debian.SnapshotURL
	if _, ok := c.files.Get(caBundle); !ok {
		// The signatures are what is trusted, however it comes.
		service = "http" + strings.TrimPrefix(service, "https")
	}
	return debian.SnapshotBase(service, a.Name, a.Date.Add(debian.SnapshotDelay).Truncate(time.Second)), true
}
