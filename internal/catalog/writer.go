package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"stet/internal/debian"
)

// writer writes the records that a maker reads.
type writer struct {
	maker
	places  map[string]int           // of texts
	numbers map[*debian.Relation]int // of alternatives, by identity: the parser shares equal ones
}

func newWriter() *writer {
	return &writer{places: map[string]int{}, numbers: map[*debian.Relation]int{}}
}

// names are n, with their texts among the others.
func (w *writer) names(n *names) names {
	kept := *n
	kept.places = nil
	for number := range n.places.len() {
		kept.places = kept.places.append(w.text(n.text(number)))
	}
	return kept
}

func (w *writer) text(s string) int {
	place, known := w.places[s]
	if !known {
		w.texts, place = w.texts.append(s)
		w.places[s] = place
	}
	return place
}

func (w *writer) addPackage(p *debian.Package) {
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
func (w *writer) number(alternatives debian.Alternatives) int {
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
