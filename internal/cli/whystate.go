package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"stet/internal/ledger"
)

// ofState reports on a path of the machine's state that is there, by the ledger; nil
// for anything else.
func (q *question) ofState(ctx context.Context, word string) (*whyReport, error) {
	place, ok := ledger.Place(word)
	if !ok || q.running == nil {
		return nil, nil
	}
	var about unix.Stat_t
	err := unix.Lstat(filepath.Join(q.running.facts.State, place), &about)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, needRoot(&os.PathError{Op: "look at", Path: word, Err: err})
	}
	book, err := q.running.ledger(ctx)
	if err != nil {
		return nil, err
	}
	part := book.Part(word)
	if part == "" {
		return nil, nil // a directory that everybody uses
	}
	e := book.Entries([]ledger.Seen{{Path: part, UID: about.Uid}})[0]
	r := &whyReport{What: word, Causes: []whyCause{}, Notes: stateLines(word, e)}
	var makers []string
	for _, o := range e.Owners {
		if o.Kind == ledger.Package && e.Generation == 0 {
			makers = append(makers, o.Name)
		}
	}
	if len(makers) == 0 {
		return r, nil
	}
	return r, q.follow(ctx, r, makers)
}

// stateLines says whose a path is, and who says so.
func stateLines(word string, e ledger.Entry) []string {
	what := word + " is state"
	if word != e.Path {
		what = fmt.Sprintf("%s is in %s, which is state", word, e.Path)
	}
	switch e.Standing {
	case ledger.Unknown:
		return []string{fmt.Sprintf("%s that nobody ever declared, %s", what, e.Whose())}
	case ledger.Orphan:
		return []string{
			fmt.Sprintf("%s of %s, which generation %d had last", what, e.Whose(), e.Generation),
			"`stet state clean " + e.Path + "` archives and removes it",
		}
	}
	what += " of " + e.Whose()
	if by := e.Owners[0].By; by != "" {
		what += ": " + by + " says so"
	}
	if e.Generation != 0 {
		what += fmt.Sprintf(" in generation %d", e.Generation)
	}
	return []string{what}
}
