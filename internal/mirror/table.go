package mirror

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"stet/internal/debian"
)

// tableVersion changes with the table's layout and with what debian.Package
// says; a cache of another version is parsed anew.
const tableVersion = 1

// A table is a parsed index. All integers are unsigned varints:
//
//	"stet index\n"
//	strings       count, the length of each, then all their bytes
//	alternatives  count; each: number of relations; each: six strings
//	packages      count; each: see packageStrings and packageRelations
//	SHA-256 of everything above
//
// A string, or a list of alternatives, is named by its place in its section.
// Reading it makes one big string and cuts all others out of it: 70,000
// packages cost some ten allocations.
const tableMagic = "stet index\n"

func packageStrings(p *debian.Package) []*string {
	return []*string{
		&p.Name, &p.Version, &p.Architecture, &p.MultiArch, &p.Source, &p.SourceVersion,
		&p.Section, &p.Priority, &p.Filename, &p.SHA256,
	}
}

func relationStrings(r *debian.Relation) []*string {
	return []*string{&r.Name, &r.Arch, &r.Op, &r.Version, &r.Architectures, &r.Profiles}
}

func packageRelations(p *debian.Package) []*debian.Relations {
	return []*debian.Relations{
		&p.PreDepends, &p.Depends, &p.Recommends, &p.Conflicts, &p.Breaks, &p.Replaces, &p.Provides,
	}
}

const (
	flagEssential = 1 << iota
	flagProtected
)

type tableWriter struct {
	strings      map[string]uint64
	list         []string
	alternatives map[*debian.Relation]uint64 // by identity: the parser shares equal ones
	items        []byte
	packages     []byte
}

func encodeTable(packages []*debian.Package) []byte {
	w := tableWriter{strings: map[string]uint64{}, alternatives: map[*debian.Relation]uint64{}}
	for _, p := range packages {
		w.addPackage(p)
	}
	out := []byte(tableMagic)
	out = binary.AppendUvarint(out, uint64(len(w.list)))
	for _, s := range w.list {
		out = binary.AppendUvarint(out, uint64(len(s)))
	}
	for _, s := range w.list {
		out = append(out, s...)
	}
	out = binary.AppendUvarint(out, uint64(len(w.alternatives)))
	out = append(out, w.items...)
	out = binary.AppendUvarint(out, uint64(len(packages)))
	out = append(out, w.packages...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

func (w *tableWriter) text(s string) uint64 {
	n, known := w.strings[s]
	if !known {
		n = uint64(len(w.list))
		w.strings[s] = n
		w.list = append(w.list, s)
	}
	return n
}

func (w *tableWriter) addPackage(p *debian.Package) {
	for _, s := range packageStrings(p) {
		w.packages = binary.AppendUvarint(w.packages, w.text(*s))
	}
	var flags uint64
	if p.Essential {
		flags |= flagEssential
	}
	if p.Protected {
		flags |= flagProtected
	}
	w.packages = binary.AppendUvarint(w.packages, flags)
	w.packages = binary.AppendUvarint(w.packages, uint64(p.InstalledSize))
	w.packages = binary.AppendUvarint(w.packages, uint64(p.Size))
	for _, relations := range packageRelations(p) {
		w.packages = binary.AppendUvarint(w.packages, uint64(len(*relations)))
		for _, a := range *relations {
			w.packages = binary.AppendUvarint(w.packages, w.item(a))
		}
	}
}

func (w *tableWriter) item(a debian.Alternatives) uint64 {
	var identity *debian.Relation
	if len(a) > 0 {
		identity = &a[0]
	}
	n, known := w.alternatives[identity]
	if known {
		return n
	}
	n = uint64(len(w.alternatives))
	w.alternatives[identity] = n
	w.items = binary.AppendUvarint(w.items, uint64(len(a)))
	for i := range a {
		for _, s := range relationStrings(&a[i]) {
			w.items = binary.AppendUvarint(w.items, w.text(*s))
		}
	}
	return n
}

var errTable = errors.New("the cached index is damaged")

// tableReader reads varints; the first that is wrong makes it bad, and all
// that follow zero.
type tableReader struct {
	data    []byte
	bad     bool
	strings []string
	items   []debian.Alternatives
	lists   []debian.Alternatives // room that relations are cut from
}

func decodeTable(data []byte) ([]*debian.Package, error) {
	body := len(data) - sha256.Size
	if body < len(tableMagic) || !bytes.HasPrefix(data, []byte(tableMagic)) {
		return nil, errTable
	}
	if sum := sha256.Sum256(data[:body]); !bytes.Equal(sum[:], data[body:]) {
		return nil, errTable
	}
	r := tableReader{data: data[len(tableMagic):body]}
	r.readStrings()
	r.readItems()
	room := make([]debian.Package, r.count())
	packages := make([]*debian.Package, len(room))
	for i := range room {
		r.readPackage(&room[i])
		packages[i] = &room[i]
	}
	if r.bad || len(r.data) > 0 {
		return nil, errTable
	}
	return packages, nil
}

func (r *tableReader) number() uint64 {
	if len(r.data) > 0 && r.data[0] < 0x80 {
		n := r.data[0]
		r.data = r.data[1:]
		return uint64(n)
	}
	n, length := binary.Uvarint(r.data)
	if length <= 0 {
		r.bad, r.data = true, nil
		return 0
	}
	r.data = r.data[length:]
	return n
}

// count reads a number of things that take at least a byte each.
func (r *tableReader) count() int {
	n := r.number()
	if n > uint64(len(r.data)) {
		r.bad, r.data = true, nil
		return 0
	}
	return int(n)
}

func (r *tableReader) readStrings() {
	lengths := make([]int, r.count())
	total := 0
	for i := range lengths {
		lengths[i] = r.count()
		total += lengths[i]
	}
	if r.bad || total > len(r.data) {
		r.bad, r.data = true, nil
		return
	}
	all := string(r.data[:total])
	r.data = r.data[total:]
	r.strings = make([]string, len(lengths))
	for i, length := range lengths {
		r.strings[i], all = all[:length], all[length:]
	}
}

func (r *tableReader) text() string {
	if n := r.number(); n < uint64(len(r.strings)) {
		return r.strings[n]
	}
	r.bad = true
	return ""
}

func (r *tableReader) readItems() {
	r.items = make([]debian.Alternatives, r.count())
	var room []debian.Relation
	for i := range r.items {
		n := r.count()
		if len(room) < n {
			room = make([]debian.Relation, max(n, 4096))
		}
		r.items[i], room = debian.Alternatives(room[:n:n]), room[n:]
		for j := range r.items[i] {
			for _, s := range relationStrings(&r.items[i][j]) {
				*s = r.text()
			}
		}
	}
}

func (r *tableReader) readPackage(p *debian.Package) {
	for _, s := range packageStrings(p) {
		*s = r.text()
	}
	flags := r.number()
	p.Essential, p.Protected = flags&flagEssential != 0, flags&flagProtected != 0
	p.InstalledSize, p.Size = int64(r.number()), int64(r.number())
	for _, relations := range packageRelations(p) {
		n := r.count()
		if n == 0 {
			continue
		}
		if len(r.lists) < n {
			r.lists = make([]debian.Alternatives, max(n, 8192))
		}
		list := r.lists[:n:n]
		r.lists = r.lists[n:]
		for i := range list {
			if k := r.number(); k < uint64(len(r.items)) {
				list[i] = r.items[k]
			} else {
				r.bad = true
			}
		}
		*relations = list
	}
}
