package cli

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"stet/internal/config"
	"stet/internal/mirror"
	"stet/internal/namespace"
	"stet/internal/rootfs"
	"stet/internal/term"
)

// The exit codes of every command.
const (
	ExitDone      = 0 // done
	ExitFailed    = 1 // failed, nothing changed
	ExitInput     = 2 // the input is wrong
	ExitDiffers   = 3 // differences found, or a decision is needed
	ExitUnhealthy = 4 // activated, found unhealthy, went back
)

// Failure is an error with the exit code and the remedy a command decided on.
// Commands return it where the plain rule (1, or 2 for wrong input) is not
// enough.
type Failure struct {
	Code   int
	Err    error  // nil says nothing: the report has said it all
	Remedy string // one line, may be empty
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return ""
	}
	return f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// wrongInput marks an error as the person's: exit code 2.
func wrongInput(err error, remedy string) error {
	return &Failure{Code: ExitInput, Err: err, Remedy: remedy}
}

// errorReport is the document of --json when a command fails before it has
// printed its own.
type errorReport struct {
	OK       bool            `json:"ok"` // always false
	Error    string          `json:"error,omitempty"`
	Remedy   string          `json:"remedy,omitempty"`
	Reason   string          `json:"reason,omitempty"` // of reasonOf
	Problems config.Problems `json:"problems,omitempty"`
}

// fail gives the exit code of an error. People read on stderr what it is; with
// --json, programs read it on stdout.
func (a *app) fail(err error) int {
	if err == nil {
		return ExitDone
	}
	code, report := a.tell(err)
	if a.json && !a.printed {
		if err := a.printJSON(report); err != nil {
			a.term.Error(err.Error(), "")
		}
	}
	return code
}

// tell is the one place where an error becomes text and an exit code. It says to
// people what went wrong, and gives it for programs.
func (a *app) tell(err error) (code int, report errorReport) {
	code, report = ExitFailed, errorReport{Error: err.Error()}
	failure := (*Failure)(nil)
	stuck := (*rootfs.StuckError)(nil)
	forbidden := (*namespace.ForbiddenError)(nil)
	switch {
	case errors.As(err, &report.Problems):
		code, report.Error = ExitInput, ""
		a.term.Diagnose(diagnostics(report.Problems))
	case errors.As(err, &failure):
		code, report.Remedy = failure.Code, failure.Remedy
	case errors.As(err, &forbidden):
		report.Remedy = forbidden.Remedy
	case errors.Is(err, config.ErrNone):
		code, report.Remedy = ExitInput, "`stet init` writes a configuration to begin with"
	case errors.Is(err, context.Canceled):
		report.Error = "interrupted"
	case errors.As(err, &stuck):
		report.Remedy = "leave the package out, or tell those who keep it: its script does not end"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		report.Remedy = "make room, or let STET_STORE name a directory on another disk"
	}
	report.Reason = reasonOf(err)
	// What goes wrong in a second build is told by the first.
	if report.Error != "" && a.again == nil {
		a.term.Error(report.Error, report.Remedy)
	}
	return code, report
}

// reasonOf names the failures of fetching that a program can act on: lock
// newer packages, distrust the mirror, or wait for the network. Others have "".
func reasonOf(err error) string {
	var gone *mirror.GoneError
	var altered *mirror.MismatchError
	var unreachable *mirror.UnreachableError
	switch {
	case errors.As(err, &gone):
		return "gone"
	case errors.As(err, &altered):
		return "altered"
	case errors.As(err, &unreachable):
		return "unreachable"
	}
	return ""
}

// diagnostics turns problems of a configuration into what term shows.
func diagnostics(problems config.Problems) []term.Diagnostic {
	all := make([]term.Diagnostic, len(problems))
	for i, p := range problems {
		d := term.Diagnostic{
			Where: p.Place.String(), Subject: p.Path, Message: p.Message, Remedy: p.Remedy, Mark: mark(p.Place),
		}
		for _, other := range p.Others {
			d.Notes = append(d.Notes, term.Note{Where: other.String(), Mark: mark(other)})
		}
		all[i] = d
	}
	return all
}

func mark(p config.Place) term.Mark {
	return term.Mark{Line: p.Line, Column: p.Column, Width: p.Width, Text: p.Excerpt}
}
