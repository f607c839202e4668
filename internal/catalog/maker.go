package catalog

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"

	"stet/internal/debian"
)

// maker makes the packages of a catalog that was kept: see sections. Whatever is wrong
// with it is zero.
type maker struct {
	texts        texts
	packages     column // where the record of each begins
	alternatives column // where the record of each begins
	records      []byte

	made []debian.Alternatives // of what was asked for: equal ones share memory

	// Room that new values are cut from.
	structs   []debian.Package
	relations []debian.Relation
	lists     []debian.Alternatives
}

// The fields of records, in their order.

func packageTexts(p *debian.Package) [8]*string {
	return [...]*string{
		&p.Name, &p.Version, &p.Architecture, &p.MultiArch, &p.Source, &p.SourceVersion,
		&p.Section, &p.Priority,
	}
}

func packageRelations(p *debian.Package) [7]*debian.Relations {
	return [...]*debian.Relations{
		&p.PreDepends, &p.Depends, &p.Recommends, &p.Conflicts, &p.Breaks, &p.Replaces, &p.Provides,
	}
}

func relationTexts(r *debian.Relation) [6]*string {
	return [...]*string{&r.Name, &r.Arch, &r.Op, &r.Version, &r.Architectures, &r.Profiles}
}

// The flags of a package.
const (
	flagEssential = 1 << iota
	flagProtected
	flagUsualFile // of Filename there is the directory; the rest is usualFile
	flagDigest    // SHA256 is 32 bytes, and not a text
)

// usualFile is what an archive calls the file of a package.
func usualFile(p *debian.Package) string {
	_, version, hasEpoch := strings.Cut(p.Version, ":")
	if !hasEpoch {
		version = p.Version
	}
	return p.Name + "_" + version + "_" + p.Architecture + ".deb"
}

// make makes the package of a place.
func (m *maker) make(place int) *debian.Package {
	p := &cut(&m.structs, 1)[0]
	r := m.record(m.packages, place)
	for _, text := range packageTexts(p) {
		*text = m.texts.at(r.number())
	}
	flags := r.number()
	p.Essential, p.Protected = flags&flagEssential != 0, flags&flagProtected != 0
	p.InstalledSize, p.Size = int64(r.number()), int64(r.number())
	p.Filename = m.texts.at(r.number())
	if flags&flagUsualFile != 0 {
		p.Filename += usualFile(p)
	}
	if flags&flagDigest != 0 {
		p.SHA256 = hex.EncodeToString(r.bytes(sha256.Size))
	} else {
		p.SHA256 = m.texts.at(r.number())
	}
	for _, relations := range packageRelations(p) {
		if n := r.count(); n > 0 {
			*relations = cut(&m.lists, n)
			for i := range *relations {
				(*relations)[i] = m.makeAlternatives(r.number())
			}
		}
	}
	return p
}

func (m *maker) makeAlternatives(number int) debian.Alternatives {
	if number >= len(m.made) {
		return nil
	}
	if m.made[number] == nil {
		r := m.record(m.alternatives, number)
		made := debian.Alternatives(cut(&m.relations, r.count()))
		for i := range made {
			for _, text := range relationTexts(&made[i]) {
				*text = m.texts.at(r.number())
			}
		}
		m.made[number] = made
	}
	return m.made[number]
}

// record begins to read one.
func (m *maker) record(begins column, number int) record {
	return m.records[min(begins.at(number), len(m.records)):]
}

// record is what is still to be read of one.
type record []byte

// number reads one; at the end, and of what is none, it is zero.
func (r *record) number() int {
	if len(*r) > 0 && (*r)[0] < 0x80 {
		n := (*r)[0]
		*r = (*r)[1:]
		return int(n)
	}
	n, length := binary.Uvarint(*r)
	if length <= 0 || n > math.MaxInt {
		*r = nil
		return 0
	}
	*r = (*r)[length:]
	return int(n)
}

// bytes reads some, or those that are left.
func (r *record) bytes(n int) []byte {
	n = min(n, len(*r))
	read := (*r)[:n]
	*r = (*r)[n:]
	return read
}

// count reads how many things follow, of at least a byte each.
func (r *record) count() int {
	if n := r.number(); n <= len(*r) {
		return n
	}
	*r = nil
	return 0
}

// cut takes n values from room, of which more is made for many at a time.
func cut[T any](room *[]T, n int) []T {
	if len(*room) < n {
		*room = make([]T, max(n, 512))
	}
	values := (*room)[:n:n]
	*room = (*room)[n:]
	return values
}
