package mirror

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// StaleError says that a Release is past its Valid-Until.
type StaleError struct {
	Archive         Archive
	ValidUntil, Now time.Time
}

func (e *StaleError) Error() string {
	remedy := "the mirror no longer follows Debian; use another one"
	if e.Archive.URL != "" {
		remedy = "whoever keeps the repository must renew it"
	}
	return fmt.Sprintf("the Release of %s was valid until %s, and now it is %s: %s, or correct the clock", e.Archive, minute(e.ValidUntil), minute(e.Now), remedy)
}

// OlderError says that every place has an older Release than the one that was
// read last.
type OlderError struct {
	Archive Archive
	URL     string // of the newest of them
	Date    time.Time
}

func (e *OlderError) Error() string {
	return fmt.Sprintf("%s: the Release of %s is of %s, but the one that was locked is of %s: the mirror lags behind, or somebody replays an old archive that lacks its latest fixes",
		e.URL, e.Archive, minute(e.Date), minute(e.Archive.NotBefore))
}

// NoIndexError says that a suite has no packages of a component or an
// architecture.
type NoIndexError struct {
	Archive                   Archive
	Component, Architecture   string
	Components, Architectures []string // what it has
}

func (e *NoIndexError) Error() string {
	switch {
	case e.Archive.isFlat():
		return fmt.Sprintf("%s has no Packages index", e.Archive)
	case e.lacks():
		return fmt.Sprintf("%s has no component %q; it has %s", e.suite(), e.Component, strings.Join(e.Components, ", "))
	}
	return fmt.Sprintf("%s has no packages of %s for architecture %q; it has %s", e.suite(), e.Component, e.Architecture, strings.Join(e.Architectures, ", "))
}

// lacks reports whether it is the component that is missing. The security
// archive names its own updates/main, and has them as main.
func (e *NoIndexError) lacks() bool {
	for _, c := range e.Components {
		if c == e.Component || strings.HasSuffix(c, "/"+e.Component) {
			return false
		}
	}
	return true
}

func (e *NoIndexError) suite() string {
	if e.Archive.URL == "" {
		return "suite " + e.Archive.Suite
	}
	return e.Archive.String()
}

// HalfUpdatedError says that a Release names other indices than mirrors have:
// so it is while a mirror is being updated.
type HalfUpdatedError struct {
	Attempts []Attempt
	cause    error
}

func (e *HalfUpdatedError) Error() string {
	return "no mirror has what the Release names: perhaps it is being updated right now; try again in ten minutes, or name another one with --mirror" + list(e.Attempts)
}

// Unwrap gives what the last mirror had instead: a [*MismatchError], perhaps.
func (e *HalfUpdatedError) Unwrap() error { return e.cause }

// WrongSuiteError says that a mirror gives the Release of another suite.
type WrongSuiteError struct {
	Wanted, Suite, Codename string
}

func (e *WrongSuiteError) Error() string {
	return fmt.Sprintf("it is the Release of %s (%s), not of %s: the mirror is broken or hostile; use another one", e.Codename, e.Suite, e.Wanted)
}

// Attempt is one place that did not have what was wanted.
type Attempt struct {
	URL string
	Err error
}

// NoSuiteError says that mirrors answered and none has the suite.
type NoSuiteError struct {
	Archive  Archive
	Attempts []Attempt
}

func (e *NoSuiteError) Error() string {
	if e.Archive.URL != "" {
		return fmt.Sprintf("%s has no suite %q: check its url and its suite%s", e.Archive.repository(), e.Archive.Suite, list(e.Attempts))
	}
	if !e.Archive.Snapshot.IsZero() {
		return fmt.Sprintf("Debian's snapshot service has no suite %s at %s: check the suite's name, and debian.snapshot%s", e.Archive.Suite, minute(e.Archive.Snapshot), list(e.Attempts))
	}
	return fmt.Sprintf("no mirror has suite %s of archive %s: check the suite's name, or name another mirror with --mirror or STET_MIRROR%s", e.Archive.Suite, e.Archive.Name, list(e.Attempts))
}

// UnreachableError says that no mirror could be asked.
type UnreachableError struct {
	Attempts   []Attempt // empty when none is known
	Repository string    // the option that declares it; empty for Debian's archives
	Snapshot   time.Time // that was asked for; zero when it was not
}

func (e *UnreachableError) Error() string {
	if e.Repository != "" {
		return e.Repository + " cannot be reached: check the network connection, and its url" + list(e.Attempts)
	}
	if !e.Snapshot.IsZero() {
		return "debian.snapshot is at Debian's snapshot service alone, which cannot be reached: check the network connection" + list(e.Attempts)
	}
	if len(e.Attempts) == 0 {
		return "no Debian mirror is known: name one with --mirror or STET_MIRROR"
	}
	return "no mirror can be reached: check the network connection, or name a mirror with --mirror or STET_MIRROR" + list(e.Attempts)
}

// GoneError says that no mirror has some packages any more.
type GoneError struct {
	Debs     []Deb
	Attempts []Attempt // of the first of them
}

func (e *GoneError) Error() string {
	first := e.Debs[0]
	what := fmt.Sprintf("package %s %s (%s)", first.Name, first.Version, first.Architecture)
	if more := len(e.Debs) - 1; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	return what + ": no mirror has it any more: run \"stet update\" to lock newer versions, or name a mirror that keeps old ones, such as snapshot.debian.org, with --mirror" + list(e.Attempts)
}

// MismatchError says that a mirror gave other bytes than were asked for. They
// were removed.
type MismatchError struct {
	URL                string
	WantSize, HaveSize int64
	WantSHA256         string
	HaveSHA256         string // of the bytes up to HaveSize
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s gives other bytes than were asked for: SHA-256 %s (%d bytes) instead of %s (%d bytes): the mirror, or something between it and here, changed the file; it was removed; use another mirror",
		e.URL, e.HaveSHA256, e.HaveSize, e.WantSHA256, e.WantSize)
}

// errAbsent is what a place answers that does not have a file.
var errAbsent = errors.New("not there")

// errRange is what a place answers that has less of a file than we do.
var errRange = errors.New("the server's file is shorter than what is already here")

func list(attempts []Attempt) string {
	var b strings.Builder
	for _, a := range attempts {
		fmt.Fprintf(&b, "\n  %s: %v", a.URL, a.Err)
	}
	return b.String()
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
