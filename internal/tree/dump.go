package tree

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
	"stet/internal/verity"
)

var typeBits = [...]uint32{
	Directory: unix.S_IFDIR, Regular: unix.S_IFREG, Symlink: unix.S_IFLNK,
	CharDevice: unix.S_IFCHR, BlockDevice: unix.S_IFBLK, FIFO: unix.S_IFIFO,
}

// Digest is the identity of the tree: the SHA-256 of its dump, in hexadecimal.
func (t *Tree) Digest() string {
	sum := sha256.New()
	_ = t.Dump(sum) // a hash never fails
	return hex.EncodeToString(sum.Sum(nil))
}

// Dump writes the canonical text of the tree: composefs-dump(5), sorted by
// path in byte order, every link count one, every file named by its fs-verity
// digest and its path in the store.
func (t *Tree) Dump(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	var line []byte
	for i := range t.entries {
		line = t.entries[i].appendDump(line[:0])
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("dump tree: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("dump tree: %w", err)
	}
	return nil
}

// appendDump appends "PATH SIZE MODE NLINK UID GID RDEV MTIME PAYLOAD CONTENT
// DIGEST [key=value…]\n".
func (e *Entry) appendDump(line []byte) []byte {
	line = appendEscaped(line, e.Path, false)
	line = append(line, ' ')
	line = strconv.AppendInt(line, e.Size, 10)
	line = append(line, ' ')
	line = strconv.AppendUint(line, uint64(typeBits[e.Type]|e.Mode), 8)
	line = append(line, " 1 "...)
	line = strconv.AppendUint(line, uint64(e.UID), 10)
	line = append(line, ' ')
	line = strconv.AppendUint(line, uint64(e.GID), 10)
	line = append(line, ' ')
	line = strconv.AppendUint(line, e.Rdev, 10)
	line = append(line, ' ')
	line = strconv.AppendInt(line, e.Mtime.Sec, 10)
	line = append(line, '.')
	line = strconv.AppendUint(line, uint64(e.Mtime.Nsec), 10)
	line = append(line, ' ')
	switch {
	case e.Type == Symlink:
		line = appendEscaped(line, e.Target, false)
		line = append(line, " - -"...)
	case !e.Digest.IsZero():
		name := e.Digest.String()
		line = append(line, name[:2]...)
		line = append(line, '/')
		line = append(line, name[2:]...)
		line = append(line, " - "...)
		line = append(line, name...)
	default:
		line = append(line, "- - -"...)
	}
	for _, x := range e.Xattrs {
		line = append(line, ' ')
		line = appendEscaped(line, x.Key, true)
		line = append(line, '=')
		line = appendEscaped(line, string(x.Value), true)
	}
	return append(line, '\n')
}

// appendEscaped escapes what composefs-dump(5) escapes: white space,
// unprintable and non-ASCII bytes, the backslash, "=" in attributes, and a
// lone "-", which stands for nothing.
func appendEscaped(line []byte, text string, attribute bool) []byte {
	if text == "-" {
		return append(line, `\x2d`...)
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\':
			line = append(line, `\\`...)
		case c == '\n':
			line = append(line, `\n`...)
		case c == '\r':
			line = append(line, `\r`...)
		case c == '\t':
			line = append(line, `\t`...)
		case c <= ' ' || c >= 0x7f || (attribute && c == '='):
			line = append(line, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		default:
			line = append(line, c)
		}
	}
	return line
}

const hexDigits = "0123456789abcdef"

// ParseDump reads a dump that [Tree.Dump] wrote. It accepts nothing else: a
// text that would not be written again byte for byte is an error.
func ParseDump(dump []byte) (*Tree, error) { return parse(dump, true) }

// ParseOwn reads a dump of which its digest, or who gives it, says that [Tree.Dump] wrote
// it. Whether it would be written again byte for byte is not looked at, which takes as
// long as all the rest.
func ParseOwn(dump []byte) (*Tree, error) { return parse(dump, false) }

// parse reads a dump. Trees are read by nearly everything, and a large one has 150,000
// lines: all processors read, each its part, and what is kept of lines are parts of one
// string.
func parse(dump []byte, foreign bool) (*Tree, error) {
	text := string(dump)
	lines := strings.Count(text, "\n")
	entries := make([]Entry, lines)
	parts := min(runtime.GOMAXPROCS(0), lines/leastLines+1)
	failed := make([]error, parts)
	var reading sync.WaitGroup
	for i, rest, first := 0, text, 0; i < parts; i++ {
		part := rest
		if i < parts-1 {
			end := len(rest) / (parts - i)
			end += strings.IndexByte(rest[end:], '\n') + 1
			part, rest = rest[:end], rest[end:]
		}
		at := first
		first += strings.Count(part, "\n")
		reading.Go(func() { failed[i] = parseLines(part, at, entries, foreign) })
	}
	reading.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	for i := 1; i < len(entries); i++ {
		if entries[i-1].Path >= entries[i].Path {
			return nil, fmt.Errorf("dump line %d: %s is not sorted", i+1, entries[i].Path)
		}
	}
	return sorted(entries)
}

// leastLines is what is worth a goroutine.
const leastLines = 1000

// parseLines reads some lines, the first of which is the one after at others.
func parseLines(text string, at int, into []Entry, foreign bool) error {
	var again []byte
	for ; text != ""; at++ {
		line, rest, ended := strings.Cut(text, "\n")
		text = rest
		e, err := parseLine(line)
		if err != nil {
			return fmt.Errorf("dump line %d: %w", at+1, err)
		}
		if foreign {
			again = e.appendDump(again[:0])
		}
		if !ended || foreign && string(again[:len(again)-1]) != line {
			return fmt.Errorf("dump line %d: not in canonical form", at+1)
		}
		into[at] = e
	}
	return nil
}

// leastFields is how many a line has that names no extended attribute.
const leastFields = 11

func parseLine(line string) (Entry, error) {
	var fields [leastFields]string
	rest, more := line, true
	for i := range fields {
		if !more {
			return Entry{}, fmt.Errorf("want at least %d fields, have %d", leastFields, i)
		}
		fields[i], rest, more = strings.Cut(rest, " ")
	}
	var e Entry
	var err error
	number := func(text string, base, bits int) uint64 {
		n, parseErr := strconv.ParseUint(text, base, bits)
		if parseErr != nil && err == nil {
			err = fmt.Errorf("%q is not a number: %w", text, parseErr)
		}
		return n
	}
	text := func(field string) string {
		s, unescapeErr := unescape(field)
		if unescapeErr != nil && err == nil {
			err = unescapeErr
		}
		return s
	}
	e.Path = text(fields[0])
	e.Size = int64(number(fields[1], 10, 63))
	mode := uint32(number(fields[2], 8, 32))
	e.UID = uint32(number(fields[4], 10, 32))
	e.GID = uint32(number(fields[5], 10, 32))
	e.Rdev = number(fields[6], 10, 64)
	sec, nsec, _ := strings.Cut(fields[7], ".")
	e.Mtime.Nsec = uint32(number(nsec, 10, 32))
	if e.Mtime.Sec, _ = strconv.ParseInt(sec, 10, 64); err != nil {
		return e, err
	}
	e.Mode, e.Type = mode&0o7777, typeOf(mode)
	if e.Type == Symlink {
		e.Target = text(fields[8])
	}
	if fields[10] != "-" {
		if e.Digest, err = verity.ParseDigest(fields[10]); err != nil {
			return e, err
		}
	}
	for more {
		var field string
		field, rest, more = strings.Cut(rest, " ")
		key, value, _ := strings.Cut(field, "=")
		e.Xattrs = append(e.Xattrs, Xattr{Key: text(key), Value: []byte(text(value))})
	}
	return e, err
}

// typeOf gives the type that the bits of a mode name; 0 for a socket and for none.
func typeOf(mode uint32) Type {
	for t := Directory; t <= FIFO; t++ {
		if mode&unix.S_IFMT == typeBits[t] {
			return t
		}
	}
	return 0
}

func unescape(field string) (string, error) {
	if strings.IndexByte(field, '\\') < 0 {
		return field, nil
	}
	var out strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] != '\\' {
			out.WriteByte(field[i])
			continue
		}
		i++
		switch {
		case i == len(field):
			return "", fmt.Errorf("%q ends within an escape", field)
		case field[i] == '\\':
			out.WriteByte('\\')
		case field[i] == 'n':
			out.WriteByte('\n')
		case field[i] == 'r':
			out.WriteByte('\r')
		case field[i] == 't':
			out.WriteByte('\t')
		case field[i] == 'x' && i+2 < len(field):
			n, err := strconv.ParseUint(field[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("%q: bad escape", field)
			}
			out.WriteByte(byte(n))
			i += 2
		default:
			return "", fmt.Errorf("%q: bad escape", field)
		}
	}
	return out.String(), nil
}
