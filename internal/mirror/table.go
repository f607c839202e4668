package mirror

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"stet/internal/debian"
)

// tableVersion changes with the table's layout and with what debian.Package
// says; a cache of another version is parsed anew.
const tableVersion = 2

// A table is a parsed index. All integers are unsigned varints:
//
//	"stet index\n"
//	strings       count, the length of each, then all their bytes
//	alternatives  count, chunks; each: number of relations; each: six strings
//	packages      count, chunks; each: see packageStrings and packageRelations
//	SHA-256 of everything above
//
// A string, or a list of alternatives, is named by its place in its section.
// Chunks are the length of each, then all their bytes; each but the last has
// chunkSize things, so that all cores can read. Strings are cut out of the table
// itself: 70,000 packages cost some hundred allocations.
const tableMagic = "stet index\n"

const chunkSize = 4096

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
	items        chunks
	packages     chunks
}

// chunks are the things of one section.
type chunks struct {
	count int
	bytes []byte
	ends  []int // where each full chunk ends
}

// next begins a thing.
func (c *chunks) next() {
	if c.count > 0 && c.count%chunkSize == 0 {
		c.ends = append(c.ends, len(c.bytes))
	}
	c.count++
}

func (c *chunks) number(n uint64) { c.bytes = binary.AppendUvarint(c.bytes, n) }

func (c *chunks) appendTo(out []byte) []byte {
	out = binary.AppendUvarint(out, uint64(c.count))
	begin := 0
	for _, end := range c.ends {
		out = binary.AppendUvarint(out, uint64(end-begin))
		begin = end
	}
	if c.count > 0 {
		out = binary.AppendUvarint(out, uint64(len(c.bytes)-begin))
	}
	return append(out, c.bytes...)
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
	out = w.items.appendTo(out)
	out = w.packages.appendTo(out)
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
	w.packages.next()
	for _, s := range packageStrings(p) {
		w.packages.number(w.text(*s))
	}
	var flags uint64
	if p.Essential {
		flags |= flagEssential
	}
	if p.Protected {
		flags |= flagProtected
	}
	w.packages.number(flags)
	w.packages.number(uint64(p.InstalledSize))
	w.packages.number(uint64(p.Size))
	for _, relations := range packageRelations(p) {
		w.packages.number(uint64(len(*relations)))
		for _, a := range *relations {
			w.packages.number(w.item(a))
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
	w.items.next()
	w.items.number(uint64(len(a)))
	for i := range a {
		for _, s := range relationStrings(&a[i]) {
			w.items.number(w.text(*s))
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

// decodeTable reads a table. The packages keep data, which nobody may change any
// more.
func decodeTable(data []byte) ([]*debian.Package, error) {
	body := len(data) - sha256.Size
	if body < len(tableMagic) || !bytes.HasPrefix(data, []byte(tableMagic)) {
		return nil, errTable
	}
	var good atomic.Bool
	var hashing sync.WaitGroup
	hashing.Go(func() {
		sum := sha256.Sum256(data[:body])
		good.Store(bytes.Equal(sum[:], data[body:]))
	})
	defer hashing.Wait()
	r := tableReader{data: data[len(tableMagic):body]}
	r.readStrings()
	r.readItems()
	packages := r.readPackages()
	hashing.Wait()
	if r.bad || len(r.data) > 0 || !good.Load() {
		return nil, errTable
	}
	return packages, nil
}

// readChunks calls read for each chunk of a section of count things, with a
// reader of its own and the place of its first thing, on all cores.
func (r *tableReader) readChunks(count int, read func(chunk *tableReader, first, past int)) {
	lengths := make([]int, (count+chunkSize-1)/chunkSize)
	for i := range lengths {
		lengths[i] = r.count()
	}
	readers := make([]tableReader, len(lengths))
	for i, length := range lengths {
		if length > len(r.data) {
			r.bad, r.data = true, nil
			return
		}
		readers[i] = tableReader{data: r.data[:length], strings: r.strings, items: r.items}
		r.data = r.data[length:]
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(readers)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(readers); i = int(next.Add(1)) - 1 {
				read(&readers[i], i*chunkSize, min((i+1)*chunkSize, count))
			}
		})
	}
	workers.Wait()
	for i := range readers {
		r.bad = r.bad || readers[i].bad || len(readers[i].data) > 0
	}
}

func (r *tableReader) readPackages() []*debian.Package {
	room := make([]debian.Package, r.count())
	packages := make([]*debian.Package, len(room))
	r.readChunks(len(room), func(chunk *tableReader, first, past int) {
		for i := first; i < past; i++ {
			chunk.readPackage(&room[i])
			packages[i] = &room[i]
		}
	})
	return packages
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
	count := r.count()
	lengths := tableReader{data: r.data}
	total := 0
	for range count {
		total += r.count()
	}
	if r.bad || total > len(r.data) {
		r.bad, r.data = true, nil
		return
	}
	// Nobody changes data any more; copying would cost a tenth of the time.
	all := ""
	if total > 0 {
		all = unsafe.String(&r.data[0], total)
	}
	r.data = r.data[total:]
	r.strings = make([]string, count)
	for i := range r.strings {
		length := lengths.number() // a second time, without keeping them
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
	items := make([]debian.Alternatives, r.count())
	r.readChunks(len(items), func(chunk *tableReader, first, past int) {
		var room []debian.Relation
		for i := first; i < past; i++ {
			n := chunk.count()
			if len(room) < n {
				room = make([]debian.Relation, max(n, 1024))
			}
			items[i], room = debian.Alternatives(room[:n:n]), room[n:]
			for j := range items[i] {
				for _, s := range relationStrings(&items[i][j]) {
					*s = chunk.text()
				}
			}
		}
	})
	r.items = items
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
