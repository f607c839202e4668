package state

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// recordHeader is the first line of a record of what was applied to /var, with
// its format.
const recordHeader = "stet var 1"

// A record says what of a var tree was put into the state, so that the next tree
// can tell a seed from a person's file. As text:
//
//	stet var 1
//	image DIGEST
//	file MODE UID GID SHA256 "PATH"      a seed
//	link UID GID "TARGET" "PATH"         a symlink that is a seed
//	owned "TARGET" "PATH"                a symlink that belongs to Stet
//
// sorted by path; paths are relative to the state directory and quoted as in Go.
type record struct {
	image   string
	applied map[string]applied
}

type applied struct {
	kind     string // "file", "link" or "owned"
	mode     uint32 // permissions, for "file"
	uid, gid int    // for "file" and "link"
	content  string // SHA-256 in hex of a file; target of a symlink
}

func (r record) bytes() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nimage %s\n", recordHeader, r.image)
	for _, name := range slices.Sorted(maps.Keys(r.applied)) {
		switch a := r.applied[name]; a.kind {
		case "file":
			fmt.Fprintf(&b, "file %04o %d %d %s %q\n", a.mode, a.uid, a.gid, a.content, name)
		case "link":
			fmt.Fprintf(&b, "link %d %d %q %q\n", a.uid, a.gid, a.content, name)
		case "owned":
			fmt.Fprintf(&b, "owned %q %q\n", a.content, name)
		}
	}
	return b.Bytes()
}

func parseRecord(text []byte) (record, error) {
	r := record{applied: map[string]applied{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		switch number {
		case 1:
			if line != recordHeader {
				return record{}, fmt.Errorf("var record: format %q; this Stet knows %q", line, recordHeader)
			}
			continue
		case 2:
			image, ok := strings.CutPrefix(line, "image ")
			if !ok {
				return record{}, fmt.Errorf("var record:2: no image")
			}
			r.image = image
			continue
		}
		name, a, err := parseApplied(line)
		if err != nil {
			return record{}, fmt.Errorf("var record:%d: %w", number, err)
		}
		r.applied[name] = a
	}
	return r, lines.Err()
}

func parseApplied(line string) (name string, a applied, err error) {
	fields := &fieldReader{rest: line}
	a.kind = fields.word()
	switch a.kind {
	case "file":
		mode, err := strconv.ParseUint(fields.word(), 8, 12)
		if err != nil {
			return "", a, fmt.Errorf("mode: %w", err)
		}
		a.mode = uint32(mode)
		a.uid, a.gid = fields.number(), fields.number()
		a.content = fields.word()
	case "link":
		a.uid, a.gid = fields.number(), fields.number()
		a.content = fields.quoted()
	case "owned":
		a.content = fields.quoted()
	default:
		return "", a, fmt.Errorf("unknown kind %q", a.kind)
	}
	name = fields.quoted()
	if fields.err == nil && fields.rest != "" {
		fields.err = fmt.Errorf("%q at the end of the line", fields.rest)
	}
	if fields.err == nil && !isLocal(name) {
		fields.err = fmt.Errorf("%q is no path in the state", name)
	}
	return name, a, fields.err
}

// isLocal reports whether name is a clean path below the state directory. It need
// not be UTF-8, unlike for fs.ValidPath.
func isLocal(name string) bool {
	return name != "" && name != "." && name != ".." && path.Clean(name) == name && name[0] != '/' && !strings.HasPrefix(name, "../")
}

// fieldReader takes a line apart; the first error sticks.
type fieldReader struct {
	rest string
	err  error
}

func (f *fieldReader) word() string {
	var word string
	word, f.rest, _ = strings.Cut(f.rest, " ")
	return word
}

func (f *fieldReader) number() int {
	number, err := strconv.ParseUint(f.word(), 10, 32)
	if err != nil && f.err == nil {
		f.err = err
	}
	return int(number)
}

func (f *fieldReader) quoted() string {
	quoted, err := strconv.QuotedPrefix(f.rest)
	if err != nil {
		if f.err == nil {
			f.err = fmt.Errorf("%q: %w", f.rest, err)
		}
		return ""
	}
	f.rest = strings.TrimPrefix(f.rest[len(quoted):], " ")
	text, err := strconv.Unquote(quoted)
	if err != nil && f.err == nil {
		f.err = err
	}
	return text
}
