package mirror

import (
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"stet/internal/debian"
)

// SnapshotURL is the only host that Stet itself knows.
const SnapshotURL = debian.SnapshotURL

// Sources says where to look for mirrors. The places are tried in the order of
// the fields; each may be empty.
type Sources struct {
	Flag        []string // base URLs given with --mirror
	Environment string   // value of STET_MIRROR: base URLs separated by white space
	Configured  []string // base URLs of the user's configuration
	Host        fs.FS    // root of the host, for the APT sources below etc/apt
	Snapshot    string   // [SnapshotURL]
}

// place is one base URL below which pool/ and dists/ may be.
type place struct {
	base   string // without a slash at its end
	origin string // where it was named

	// mustVerify says that the place was not named for Debian's archive and
	// counts only when it has a Release signed by our keys.
	mustVerify bool

	// snapshot says that one connection at a time is all the service likes.
	snapshot bool
}

// named lists what was named, without repetition.
func (s Sources) named() ([]place, error) {
	var all []place
	add := func(origin string, urls []string) error {
		for _, text := range urls {
			base, ok := cleanURL(text)
			if !ok {
				return fmt.Errorf("%s: %q is not the URL of a mirror: want http://, https:// or file:///", origin, text)
			}
			all = append(all, place{base: base, origin: origin})
		}
		return nil
	}
	if err := add("--mirror", s.Flag); err != nil {
		return nil, err
	}
	if err := add("STET_MIRROR", strings.Fields(s.Environment)); err != nil {
		return nil, err
	}
	if err := add("user configuration", s.Configured); err != nil {
		return nil, err
	}
	if s.Host != nil {
		all = append(all, hostSources(s.Host)...)
	}
	seen := map[string]bool{}
	var once []place
	for _, p := range all {
		if !seen[p.base] {
			seen[p.base] = true
			once = append(once, p)
		}
	}
	return once, nil
}

// places lists where archive may be, in order. A zero time leaves the snapshot
// service out.
func (c *Client) places(archive Archive, at time.Time) []place {
	if archive.URL != "" {
		return []place{{base: strings.TrimRight(archive.URL, "/"), origin: archive.repository()}}
	}
	var all []place
	seen := map[string]bool{}
	for _, p := range c.named {
		for _, base := range candidates(p.base, archive.Name) {
			if !seen[base] {
				seen[base] = true
				p.base = base
				all = append(all, p)
			}
		}
	}
	return append(all, c.snapshots(archive, at)...)
}

// releasePlaces lists where the Release of archive may be: that of a snapshot
// is nowhere but at the snapshot service.
func (c *Client) releasePlaces(archive Archive, at time.Time) []place {
	if archive.URL == "" && !archive.Snapshot.IsZero() {
		return c.snapshots(archive, archive.Snapshot)
	}
	return c.places(archive, at)
}

// snapshots is the snapshot service as one place, or none.
func (c *Client) snapshots(archive Archive, at time.Time) []place {
	if c.snapshot == "" || at.IsZero() {
		return nil
	}
	return []place{{
		base:     debian.SnapshotBase(c.snapshot, archive.Name, at),
		origin:   "Debian's snapshot service",
		snapshot: true,
	}}
}

// candidates gives the URLs at which a mirror of one Debian archive may have
// another one: mirrors mostly have debian and debian-security side by side.
func candidates(base, archive string) []string {
	slash := strings.LastIndexByte(base, '/')
	switch last := base[slash+1:]; {
	case last == archive:
		return []string{base}
	case last == "debian" || last == "debian-security":
		return []string{base[:slash+1] + archive, base}
	}
	return []string{base}
}

// cleanURL gives the canonical text of a mirror's base URL.
func cleanURL(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", false
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" {
			return "", false
		}
	case "file":
		if u.Opaque != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			return "", false
		}
		return "file://" + strings.TrimRight(u.EscapedPath(), "/"), true
	default:
		return "", false
	}
	return strings.TrimRight(u.String(), "/"), true
}
