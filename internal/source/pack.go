package source

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
	"strings"
)

// git's own packs depend on its version, its settings and the number of CPUs. Of
// one commit, everybody must make the same bytes; so packs are written here: every
// object whole, in the order of their names (gitformat-pack(5)).

// pack is the history up to a commit.
type pack struct {
	head    string // the commit
	hash    func() hash.Hash
	data    []byte // the pack itself
	objects []packed
}

// packed is where an object is in a pack.
type packed struct {
	name   []byte
	offset int64
	crc    uint32
}

// types of objects in a pack.
var packTypes = map[string]byte{"commit": 1, "tree": 2, "blob": 3, "tag": 4}

// makePack packs everything that the head of the repository in dir needs.
func makePack(ctx context.Context, dir string) (*pack, error) {
	head, err := git(ctx, dir, "rev-parse", "--verify", "HEAD^{commit}")
	if err != nil {
		return nil, err
	}
	p := &pack{head: strings.TrimSpace(string(head)), hash: sha1.New}
	if len(p.head) == hex.EncodedLen(sha256.Size) {
		p.hash = sha256.New
	}
	list, err := git(ctx, dir, "rev-list", "--objects", p.head)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		names = append(names, name)
	}
	slices.Sort(names)
	names = slices.Compact(names)

	contents := Git(ctx, dir, "cat-file", "--batch", "--buffer")
	contents.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	reader, writer := io.Pipe()
	contents.Stdout = writer
	ended := make(chan error, 1)
	go func() {
		err := run(contents)
		writer.CloseWithError(err)
		ended <- err
	}()
	err = p.read(bufio.NewReader(reader), names)
	reader.CloseWithError(err)
	if gitErr := <-ended; gitErr != nil && err == nil {
		err = gitErr
	}
	if err != nil {
		return nil, fmt.Errorf("pack the history of %s: %w", dir, err)
	}
	return p, nil
}

// read packs what git cat-file gives.
func (p *pack) read(r *bufio.Reader, names []string) error {
	var out bytes.Buffer
	out.WriteString("PACK")
	out.Write(binary.BigEndian.AppendUint32(nil, 2))
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(names))))
	for _, name := range names {
		header, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		var got, kind string
		var size int64
		if n, err := fmt.Sscanf(header, "%s %s %d\n", &got, &kind, &size); err != nil || n != 3 || got != name || packTypes[kind] == 0 {
			return fmt.Errorf("git cat-file says %q of %s", strings.TrimSpace(header), name)
		}
		raw, err := hex.DecodeString(name)
		if err != nil {
			return err
		}
		start := out.Len()
		out.Write(objectHeader(packTypes[kind], uint64(size)))
		squeezed := zlib.NewWriter(&out)
		if _, err := io.CopyN(squeezed, r, size); err != nil {
			return err
		}
		if err := squeezed.Close(); err != nil {
			return err
		}
		if _, err := r.Discard(1); err != nil { // the newline behind a content
			return err
		}
		p.objects = append(p.objects, packed{raw, int64(start), crc32.ChecksumIEEE(out.Bytes()[start:])})
	}
	h := p.hash()
	h.Write(out.Bytes())
	p.data = h.Sum(out.Bytes())
	return nil
}

// objectHeader is a type and a size, seven bits at a time.
func objectHeader(kind byte, size uint64) []byte {
	first := kind<<4 | byte(size&0xf)
	size >>= 4
	var out []byte
	for size > 0 {
		out = append(out, first|0x80)
		first = byte(size & 0x7f)
		size >>= 7
	}
	return append(out, first)
}

// checksum is what a pack ends with, and is named by.
func (p *pack) checksum() []byte { return p.data[len(p.data)-p.hash().Size():] }

// index is the pack's index, version 2.
func (p *pack) index() []byte {
	be := binary.BigEndian
	out := []byte{0xff, 't', 'O', 'c', 0, 0, 0, 2}
	at := 0
	for first := range 256 {
		for at < len(p.objects) && int(p.objects[at].name[0]) <= first {
			at++
		}
		out = be.AppendUint32(out, uint32(at))
	}
	for _, o := range p.objects {
		out = append(out, o.name...)
	}
	for _, o := range p.objects {
		out = be.AppendUint32(out, o.crc)
	}
	var large []byte
	for _, o := range p.objects {
		if o.offset < 1<<31 {
			out = be.AppendUint32(out, uint32(o.offset))
			continue
		}
		out = be.AppendUint32(out, 1<<31|uint32(len(large)/8))
		large = be.AppendUint64(large, uint64(o.offset))
	}
	out = append(append(out, large...), p.checksum()...)
	h := p.hash()
	h.Write(out)
	return h.Sum(out)
}

// bundle is the pack as a bundle (gitformat-bundle(5)).
func (p *pack) bundle(w io.Writer) error {
	header := "# v2 git bundle\n"
	if p.hash().Size() == sha256.Size {
		header = "# v3 git bundle\n@object-format=sha256\n"
	}
	if _, err := fmt.Fprintf(w, "%s%s HEAD\n\n", header, p.head); err != nil {
		return err
	}
	_, err := w.Write(p.data)
	return err
}
