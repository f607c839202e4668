package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of the deb822 scanner. The longest stanza known is a Release file of
// under a megabyte.
const (
	maxStanza = 16 << 20 // bytes
	maxFields = 1024     // in one stanza
)

// Field is one field of a stanza.
type Field struct {
	Name string // as written; compared without regard to case

	// Value is the text after the colon without surrounding white space.
	// Continuation lines follow after "\n" with their leading space, as they
	// stand in the file; a value whose first line is empty begins with "\n".
	Value string

	Line int // where the field begins in its file, counted from 1; 0 when it was made
}

// Stanza is one paragraph of a deb822(5) file: fields in the order of the file.
type Stanza struct {
	Fields []Field
	Line   int // where it begins in its file, counted from 1; 0 when it was made
}

// Get returns the value of the field called name, or "" when there is none.
func (s Stanza) Get(name string) string {
	v, _ := s.Lookup(name)
	return v
}

// Lookup returns the value of the field called name and whether there is one.
func (s Stanza) Lookup(name string) (string, bool) {
	if i := s.index(name); i >= 0 {
		return s.Fields[i].Value, true
	}
	return "", false
}

// Set replaces the field called name in its place, or appends it.
func (s *Stanza) Set(name, value string) {
	if i := s.index(name); i >= 0 {
		s.Fields[i].Value = value
		return
	}
	s.Fields = append(s.Fields, Field{Name: name, Value: value})
}

// Delete removes the field called name, if there is one.
func (s *Stanza) Delete(name string) {
	if i := s.index(name); i >= 0 {
		s.Fields = append(s.Fields[:i:i], s.Fields[i+1:]...)
	}
}

func (s Stanza) index(name string) int {
	for i := range s.Fields {
		if sameName(s.Fields[i].Name, name) {
			return i
		}
	}
	return -1
}

func sameName(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// AppendText appends the stanza as deb822(5) without the empty line that
// separates it from the next. It refuses names and values that would read
// back as anything else.
func (s Stanza) AppendText(b []byte) ([]byte, error) {
	for i, f := range s.Fields {
		if err := checkFieldName(f.Name); err != nil {
			return nil, err
		}
		if Stanza.index(Stanza{Fields: s.Fields[:i]}, f.Name) >= 0 {
			return nil, fmt.Errorf("field %s stands twice in a stanza", f.Name)
		}
		if err := checkFieldValue(f.Value); err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		b = append(b, f.Name...)
		b = append(b, ':')
		if f.Value != "" && f.Value[0] != '\n' {
			b = append(b, ' ')
		}
		b = append(b, f.Value...)
		b = append(b, '\n')
	}
	return b, nil
}

func checkFieldValue(v string) error {
	if v != trimRight(trimBlank(v)) {
		return errors.New("value has white space around it")
	}
	if strings.IndexByte(v, 0) >= 0 {
		return errNUL
	}
	for rest := v; ; {
		i := strings.IndexByte(rest, '\n')
		if i < 0 {
			return nil
		}
		rest = rest[i+1:]
		line, _, _ := strings.Cut(rest, "\n")
		if trimRight(line) == "" || line[0] != ' ' && line[0] != '\t' {
			return fmt.Errorf("continuation line %q is empty or not indented", line)
		}
	}
}

// checkFieldName allows printable ASCII without the colon, as deb822(5) does.
func checkFieldName(name string) error {
	if name == "" {
		return errors.New("a line begins with a colon, not with a field name")
	}
	if name[0] == '-' || name[0] == '#' {
		return fmt.Errorf("field name %.60q begins with %q", name, name[0])
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; c <= ' ' || c >= 0x7f || c == ':' {
			return fmt.Errorf("field name %.60q holds %q", name, c)
		}
	}
	return nil
}

var errNUL = errors.New("holds a NUL byte")

// Scanner reads stanzas one after the other. It keeps at most one in memory.
type Scanner struct {
	// Comments lets lines that begin with "#" pass as if they were not there,
	// as in sources.list.d/*.sources and debian/control. Indices and control
	// files have none.
	Comments bool

	r      io.Reader
	buffer []byte
	start  int // of what is not yet consumed
	line   int // number of the line at start
	err    error
	chunk  int // the least that is read at a time
}

// NewScanner returns a Scanner on r.
func NewScanner(r io.Reader) *Scanner {
	return &Scanner{r: r, line: 1, chunk: 256 << 10}
}

// Next returns the next stanza, or io.EOF after the last one. Any other error
// names the line.
func (s *Scanner) Next() (Stanza, error) {
	return s.next(nil)
}

// next is Next with the fields appended to a slice that the caller reuses.
func (s *Scanner) next(fields []Field) (Stanza, error) {
	for {
		text, line, err := s.stanza()
		if err != nil {
			return Stanza{}, err
		}
		stanza, err := parseStanza(text, line, fields, s.Comments)
		if err == nil && len(stanza.Fields) == 0 {
			continue // comments only
		}
		return stanza, err
	}
}

// ParseStanza reads text that holds exactly one stanza, such as the control
// file of a package.
func ParseStanza(text []byte) (Stanza, error) {
	s := NewScanner(bytes.NewReader(text))
	s.chunk = len(text) + 1 // a machine has thousands of control files, all small
	first, err := s.Next()
	if err == io.EOF {
		return Stanza{}, errors.New("no stanza")
	}
	if err != nil {
		return Stanza{}, err
	}
	if second, err := s.Next(); err == nil {
		return Stanza{}, fmt.Errorf("line %d: a second stanza where one is expected", second.Line)
	} else if err != io.EOF {
		return Stanza{}, err
	}
	return first, nil
}

// stanza returns the text up to the next blank line and its first line's number.
func (s *Scanner) stanza() (text string, line int, err error) {
	size := 0     // of the stanza found so far, from s.start
	lines := 0    // in it
	searched := 0 // bytes behind s.start+size known to hold no newline
	for {
		rest := s.buffer[s.start+size:]
		i := bytes.IndexByte(rest[searched:], '\n')
		length := searched + i + 1 // of this line
		if i < 0 {
			searched = len(rest)
			if len(rest)+size > maxStanza {
				return "", 0, fmt.Errorf("line %d: stanza is longer than %d bytes", s.line, maxStanza)
			}
			if s.err == nil {
				s.fill()
				continue
			}
			if s.err != io.EOF {
				return "", 0, fmt.Errorf("line %d: %w", s.line+lines, s.err)
			}
			if length = len(rest); length == 0 {
				if size == 0 {
					return "", 0, io.EOF
				}
				return s.take(size, lines)
			}
		}
		searched = 0
		if isBlank(rest[:length]) {
			if size > 0 {
				return s.take(size, lines)
			}
			s.start += length
			s.line++
			continue
		}
		if size += length; size > maxStanza {
			return "", 0, fmt.Errorf("line %d: stanza is longer than %d bytes", s.line, maxStanza)
		}
		lines++
	}
}

func (s *Scanner) take(size, lines int) (string, int, error) {
	text, line := string(s.buffer[s.start:s.start+size]), s.line
	s.start += size
	s.line += lines
	return text, line, nil
}

// fill reads more behind what is not yet consumed.
func (s *Scanner) fill() {
	if s.start > 0 {
		s.buffer = s.buffer[:copy(s.buffer, s.buffer[s.start:])]
		s.start = 0
	}
	if cap(s.buffer)-len(s.buffer) < s.chunk {
		grown := make([]byte, len(s.buffer), 2*cap(s.buffer)+s.chunk)
		copy(grown, s.buffer)
		s.buffer = grown
	}
	for range 100 {
		n, err := s.r.Read(s.buffer[len(s.buffer):cap(s.buffer)])
		s.buffer = s.buffer[:len(s.buffer)+n]
		s.err = err
		if n > 0 || err != nil {
			return
		}
	}
	s.err = io.ErrNoProgress
}

func parseStanza(text string, line int, fields []Field, comments bool) (Stanza, error) {
	s := Stanza{Fields: fields, Line: line}
	if strings.IndexByte(text, 0) >= 0 {
		return Stanza{}, fmt.Errorf("stanza at line %d: %w", line, errNUL)
	}
	for text != "" {
		if comments && text[0] == '#' {
			_, text, _ = strings.Cut(text, "\n")
			line++
			continue
		}
		end, lines := fieldEnd(text, comments)
		field := text[:end]
		text = text[end:]
		if comments {
			field = dropComments(field)
		}
		// The name must stand on the field's first line.
		colon := strings.IndexByte(field, ':')
		if colon < 0 || strings.IndexByte(field[:colon], '\n') >= 0 {
			first, _, _ := strings.Cut(field, "\n")
			return Stanza{}, fmt.Errorf("line %d: no colon in %.60q", line, first)
		}
		f := Field{Name: field[:colon], Value: trimRight(trimBlank(field[colon+1:])), Line: line}
		if err := checkFieldName(f.Name); err != nil {
			return Stanza{}, fmt.Errorf("line %d: %w", line, err)
		}
		if s.index(f.Name) >= 0 {
			return Stanza{}, fmt.Errorf("line %d: field %.60s stands twice in a stanza", line, f.Name)
		}
		if len(s.Fields) >= maxFields {
			return Stanza{}, fmt.Errorf("line %d: more than %d fields in a stanza", line, maxFields)
		}
		s.Fields = append(s.Fields, f)
		line += lines
	}
	return s, nil
}

// fieldEnd returns the length of the first field with its continuation lines,
// and comments among and behind them.
func fieldEnd(text string, comments bool) (end, lines int) {
	for end < len(text) {
		if c := text[end]; lines > 0 && c != ' ' && c != '\t' && !(comments && c == '#') {
			break
		}
		i := strings.IndexByte(text[end:], '\n')
		if i < 0 {
			return len(text), lines + 1
		}
		end += i + 1
		lines++
	}
	return end, lines
}

func dropComments(text string) string {
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if line[0] != '#' {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func isBlank(line []byte) bool {
	for _, c := range line {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

func trimBlank(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t' || s[0] == '\r') {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" {
		switch s[len(s)-1] {
		case ' ', '\t', '\r', '\n':
			s = s[:len(s)-1]
		default:
			return s
		}
	}
	return s
}
