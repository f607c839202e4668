package catalog

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"stet/internal/debian"
)

// Version changes with the layout of a table, with hash, and with what debian.Package
// says.
const Version = 3

// A table is a catalog as bytes:
//
//	"stet catalog\n"
//	the length of each section, a column
//	the sections
//	the digest of all that
//
// A record, of a package or of alternatives, is unsigned varints. In it a text is a
// place among the texts, and a list of relations is its length and the number of each
// element.
const magic = "stet catalog\n"

// sections are the parts of a table, in their order.
func (c *Catalog) sections() [12]*[]byte {
	return [...]*[]byte{
		(*[]byte)(&c.called.slots), (*[]byte)(&c.called.places), (*[]byte)(&c.called.begins),
		(*[]byte)(&c.provided.slots), (*[]byte)(&c.provided.places), (*[]byte)(&c.provided.begins),
		(*[]byte)(&c.providers), (*[]byte)(&c.eminent),
		(*[]byte)(&c.maker.packages), (*[]byte)(&c.maker.alternatives), &c.maker.records,
		(*[]byte)(&c.maker.texts),
	}
}

func (c *Catalog) encode() []byte {
	var lengths column
	size := 0
	for _, section := range c.sections() {
		lengths = lengths.append(len(*section))
		size += len(*section)
	}
	out := make([]byte, 0, len(magic)+len(lengths)+size+sha256.Size)
	out = append(append(out, magic...), lengths...)
	for _, section := range c.sections() {
		out = append(out, *section...)
	}
	sum, _ := digest(out, nil)
	return append(out, sum[:]...)
}

var errDamaged = errors.New("the table of packages is damaged")

// Read reads a table of some size. Its errors are the reader's, and that a table is
// damaged.
func Read(table io.ReaderAt, size int64) (*Catalog, error) {
	if size < int64(len(magic)+sha256.Size) {
		return nil, errDamaged
	}
	data := make([]byte, size)
	end := len(data) - sha256.Size
	if _, err := table.ReadAt(data[end:], int64(end)); err != nil && err != io.EOF { // it is at the end
		return nil, err
	}
	sum, err := digest(data[:end], func(block []byte, at int64) error {
		_, err := table.ReadAt(block, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sum[:], data[end:]) {
		return nil, errDamaged
	}
	c := &Catalog{}
	sections := c.sections()
	rest, named := bytes.CutPrefix(data[:end], []byte(magic))
	if !named || len(rest) < 4*len(sections) {
		return nil, errDamaged
	}
	lengths := column(rest[:4*len(sections)])
	rest = rest[len(lengths):]
	for i, section := range sections {
		length := lengths.at(i)
		if length > len(rest) {
			return nil, errDamaged
		}
		*section, rest = rest[:length:length], rest[length:]
	}
	if len(rest) > 0 {
		return nil, errDamaged
	}
	c.packages = make([]*debian.Package, c.maker.packages.len())
	c.called.texts, c.provided.texts = c.maker.texts, c.maker.texts
	c.maker.made = make([]debian.Alternatives, c.maker.alternatives.len())
	return c, nil
}

// digest is the SHA-256 of the SHA-256 of each block, so that all cores can work at it.
// Each block is filled before, unless fill is nil.
func digest(data []byte, fill func(block []byte, at int64) error) ([sha256.Size]byte, error) {
	const size = 1 << 20
	sums := make([]byte, (len(data)+size-1)/size*sha256.Size)
	var working errgroup.Group
	working.SetLimit(runtime.GOMAXPROCS(0))
	for begin := 0; begin < len(data); begin += size {
		working.Go(func() error {
			block := data[begin:min(begin+size, len(data))]
			if fill != nil {
				if err := fill(block, int64(begin)); err != nil {
					return err
				}
			}
			sum := sha256.Sum256(block)
			copy(sums[begin/size*sha256.Size:], sum[:])
			return nil
		})
	}
	err := working.Wait()
	return sha256.Sum256(sums), err
}
