package mirror

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// StaleError says that a Release is past its Valid-Until.
type StaleError struct {
	Suite           string
	ValidUntil, Now time.Time
}

func (e *StaleError) Error() string {
	return fmt.Sprintf("the Release of %s was valid until %s, and now it is %s: the mirror no longer follows Debian; use another one, or correct the clock", e.Suite, minute(e.ValidUntil), minute(e.Now))
}

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
	return fmt.Sprintf("no mirror has suite %s of archive %s: check the suite's name, or name another mirror with --mirror or STET_MIRROR%s", e.Archive.Suite, e.Archive.Name, list(e.Attempts))
}

// UnreachableError says that no mirror could be asked.
type UnreachableError struct {
	Attempts []Attempt // empty when none is known
}

func (e *UnreachableError) Error() string {
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
