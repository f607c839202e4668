package mirror

import (
	"path"
	"strings"
	"time"

	"stet/internal/signature"
)

// Archive is one suite of one archive: of Debian's, or of a repository that a
// configuration declares.
type Archive struct {
	// Name is "debian" or "debian-security", or a repository's name.
	Name string

	// Suite is the directory below dists/. One that ends in "/" is that of a
	// flat repository, below the root itself (sources.list(5)).
	Suite string

	// URL is a repository's root, the only place that is asked. Keys are what
	// may sign for it. Both are empty for Debian's archives.
	URL  string
	Keys *signature.Keyring

	// Snapshot is the moment whose state is wanted, from Debian's snapshot
	// service; the zero time stands for the newest.
	Snapshot time.Time

	// NotBefore is the Date of the Release that was read last: an older one is
	// a replay, or a mirror's that lags. The zero time takes any.
	NotBefore time.Time
}

func (a Archive) isFlat() bool { return strings.HasSuffix(a.Suite, "/") }

// dir is where the Release is, below the root.
func (a Archive) dir() string {
	if !a.isFlat() {
		return "dists/" + a.Suite
	}
	return strings.TrimPrefix(path.Clean("/"+a.Suite), "/")
}

func (a Archive) file(name string) string { return path.Join(a.dir(), name) }

// repository is the option that declares the archive; empty for Debian's.
func (a Archive) repository() string {
	if a.URL == "" {
		return ""
	}
	return "repositories." + a.Name
}

// String names the archive for errors.
func (a Archive) String() string {
	if a.URL != "" {
		return "repository " + a.Name
	}
	return a.Suite
}
