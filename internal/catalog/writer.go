package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"stet/internal/debian"
)

// Writer writes the table of a catalog, a package after the other. It keeps none: those
// of an archive would take ten times the memory of what is written of them.
type Writer struct {
	maker
	known      names                    // all texts
	numbers    map[*debian.Relation]int // of alternatives, by identity: the parser shares equal ones
	calls      calls
	provisions provisions
}

// NewWriter makes the writer of an empty catalog.
func NewWriter() *Writer {
	return &Writer{
		known: newNames(0), calls: calls{names: newNames(0)}, provisions: provisions{names: newNames(0)},
		numbers: map[*debian.Relation]int{},
	}
}

// Table gives the table of what was added, for [Read]. Nothing may be added afterwards.
func (w *Writer) Table() []byte {
	c := Catalog{}
	packages := newColumn(w.packages.len())
	c.sort(&w.calls, &w.provisions, func(i, place int) { packages.set(place, w.packages.at(i)) })
	c.called, c.provided = w.names(&c.called), w.names(&c.provided)
	c.maker = w.maker
	c.maker.packages, c.maker.texts = packages, w.known.texts
	return c.encode()
}

// names are n, with their texts among the others.
func (w *Writer) names(n *names) names {
	kept := *n
	kept.places = nil
	for number := range n.places.len() {
		kept.places = kept.places.append(w.text(n.text(number)))
	}
	return kept
}

func (w *Writer) text(s string) int {
	if s == "" {
		return 0
	}
	return w.known.places.at(int(w.known.add(s)))
}

// Add adds a package, behind those of its name that were added before.
func (w *Writer) Add(p *debian.Package) {
	w.provisions.add(len(w.calls.of), p)
	w.calls.add(p)
	var r record
	for _, text := range packageTexts(p) {
		r.add(w.text(*text))
	}
	flags := 0
	if p.Essential {
		flags |= flagEssential
	}
	if p.Protected {
		flags |= flagProtected
	}
	file, usual := strings.CutSuffix(p.Filename, usualFile(p))
	if usual {
		flags |= flagUsualFile
	}
	sum, err := hex.DecodeString(p.SHA256)
	isDigest := err == nil && len(sum) == sha256.Size && p.SHA256 == strings.ToLower(p.SHA256)
	if isDigest {
		flags |= flagDigest
	}
	r.add(flags, int(p.InstalledSize), int(p.Size), w.text(file))
	if isDigest {
		r = append(r, sum...)
	} else {
		r.add(w.text(p.SHA256))
	}
	for _, relations := range packageRelations(p) {
		r.add(len(*relations))
		for _, alternatives := range *relations {
			r.add(w.number(alternatives))
		}
	}
	w.packages = w.packages.append(len(w.records))
	w.records = append(w.records, r...)
}

// number gives the number of alternatives, which it writes when they are new.
func (w *Writer) number(alternatives debian.Alternatives) int {
	var identity *debian.Relation
	if len(alternatives) > 0 {
		identity = &alternatives[0]
	}
	number, known := w.numbers[identity]
	if known {
		return number
	}
	number = w.alternatives.len()
	w.numbers[identity] = number
	var r record
	r.add(len(alternatives))
	for i := range alternatives {
		for _, text := range relationTexts(&alternatives[i]) {
			r.add(w.text(*text))
		}
	}
	w.alternatives = w.alternatives.append(len(w.records))
	w.records = append(w.records, r...)
	return number
}

func (r *record) add(numbers ...int) {
	for _, n := range numbers {
		*r = binary.AppendUvarint(*r, uint64(n))
	}
}
