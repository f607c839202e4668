package debian

// Package is one binary package as a Packages index or a control file
// describes it (deb822(5), deb-control(5)). Relations are parsed; the rest of
// the stanza stays text.
type Package struct {
	Name         string
	Version      string
	Architecture string
	MultiArch    string // "", "same", "foreign" or "allowed"
	Source       string // source package name, without version; empty when equal to Name

	// SourceVersion is the version of the source package; empty when equal to
	// Version, as it mostly is unless the package is a binNMU.
	SourceVersion string

	Section   string
	Priority  string
	Essential bool
	Protected bool

	// InstalledSize is the packager's estimate of the unpacked size in KiB;
	// zero when the stanza does not say.
	InstalledSize int64

	PreDepends Relations
	Depends    Relations
	Recommends Relations
	Conflicts  Relations
	Breaks     Relations
	Replaces   Relations
	Provides   Relations // every alternative list has length one

	// Only in an index:
	Filename string // pool path, relative to the archive's root
	Size     int64  // bytes of the .deb
	SHA256   string // of the .deb, lower-case hexadecimal
}

// Relations is a comma-separated list: every element must hold. Lists parsed
// from one index share memory: never change one in place.
type Relations []Alternatives

// Alternatives is a list separated by "|": one element must hold.
type Alternatives []Relation

// Relation is one "name:arch (op version)".
type Relation struct {
	Name    string
	Arch    string // qualifier after the colon: "", "any", "native" or an architecture
	Op      string // "", "<<", "<=", "=", ">=" or ">>"
	Version string

	// Only in build dependencies, as written: "amd64 arm64" or "!hurd-i386"
	// from between brackets, and "<!nocheck> <cross>".
	Architectures string
	Profiles      string
}
