package build

import (
	"bytes"
	"time"

	"stet/internal/lock"
	"stet/internal/residue"
	"stet/internal/rootfs"
	"stet/internal/tree"
	"stet/internal/verity"
)

// howDated is how a file differs that two builds of one day make the same.
const howDated = "time stamp: the day of the build"

// dayForms are the ways in which programs write a day. A year alone, or a day
// without one, is too often something else.
var dayForms = []string{
	"2006-01-02", "20060102", "2006/01/02", "02/01/2006", "01/02/2006", "02.01.2006", "2 Jan 2006", "02 Jan 2006",
	"Jan 2, 2006", "Jan  2, 2006", "2 January 2006", "January 2, 2006", "Mon Jan _2 ",
}

// Dated finds files of a configured root with the day on which it was made, from begin
// to end: the clock is what a second build cannot have otherwise, and tomorrow they
// would differ. Only what no package ships is searched. Nothing is found when the
// day is the epoch's own, which is written there rightly.
func (b *Builder) Dated(root string, packages []lock.Package, epoch int64, begin, end time.Time) ([]Difference, error) {
	var words [][]byte
	for _, day := range []time.Time{begin, end} {
		if day = day.UTC(); day.Format(time.DateOnly) <= time.Unix(epoch, 0).UTC().Format(time.DateOnly) {
			continue
		}
		for _, form := range dayForms {
			words = append(words, []byte(day.Format(form)))
		}
	}
	if len(words) == 0 {
		return nil, nil
	}
	t, err := b.Store.Tree(root)
	if err != nil {
		return nil, err
	}
	loaded, err := load(b.Store, packages)
	if err != nil {
		return nil, err
	}
	shipped := map[verity.Digest]bool{}
	for _, p := range loaded {
		for _, part := range []*tree.Tree{p.Files, p.Control} {
			for e := range part.All() {
				shipped[e.Digest] = true
			}
		}
	}
	var found []Difference
	var causes *rootfs.Causes
	for e := range t.All() {
		if e.Type != tree.Regular || shipped[e.Digest] {
			continue
		}
		data, err := b.Store.ReadObject(e.Digest)
		if err != nil {
			return nil, err
		}
		if !isDated(data, words, begin, end) {
			continue
		}
		if causes == nil {
			causes = rootfs.NewCauses(b.Store, loaded)
		}
		cause := causes.Of(e.Path)
		p := residue.Judge(e.Path, nil, nil, residue.HowTime)
		found = append(found, Difference{e.Path, cause.Package, cause.By, howDated, string(p.Class), p.Treatment})
	}
	return found, nil
}

func isDated(data []byte, words [][]byte, begin, end time.Time) bool {
	for _, word := range words {
		for rest := data; ; {
			at := bytes.Index(rest, word)
			if at < 0 {
				break
			}
			if rest = rest[at:]; !isAnother(rest, begin, end) {
				return true
			}
			rest = rest[len(word):]
		}
	}
	return false
}

// instantForm is how certificates write a moment (GeneralizedTime of X.680), some of
// which have that of their end in two ways.
const instantForm = "20060102150405Z"

// isAnother reports whether a text begins with a moment in which nothing was built.
func isAnother(text []byte, begin, end time.Time) bool {
	instant, err := time.Parse(instantForm, string(text[:min(len(text), len(instantForm))]))
	return err == nil && (instant.Before(begin.Truncate(time.Second)) || instant.After(end))
}
