package edit

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// A document is a text that was parsed.
type document interface {
	// tree is what it says.
	tree() *tree
	// splices carry a step out, whose path leads to a list for add and drop. They
	// keep texts of several lines in one line when they have to.
	splices(c Change, oneLine bool) ([]splice, error)
	// refuse is the error for offset at.
	refuse(at int, c Change, message string) error
	// tidy lays an edited text out as it was before.
	tidy(edited []byte) []byte
}

// A syntax makes documents. Its texts have no byte order mark, and \n alone ends
// their lines.
type syntax struct {
	parse   func(name string, text []byte) (document, error)
	lists   bool // a new set is a list
	windows bool // in the file, lines end in \r\n
}

// YAML makes changes, one after the other, in the text of a YAML file. Its error
// is an [*Error], which calls the file name; then nothing is changed.
func YAML(name string, text []byte, changes ...Change) ([]byte, error) {
	return syntax{parse: parseYAML, lists: true}.edit(name, text, changes)
}

// CUE makes changes, one after the other, in the text of a CUE file. A file that
// is as cue fmt lays it out stays so: entries may then be aligned anew. Its error
// is an [*Error], which calls the file name; then nothing is changed.
func CUE(name string, text []byte, changes ...Change) ([]byte, error) {
	return syntax{parse: parseCUE}.edit(name, text, changes)
}

// HasCUE reports whether the text of a CUE file says anything at path.
func HasCUE(name string, text []byte, path []string) bool {
	plain := bytes.ReplaceAll(bytes.TrimPrefix(text, mark), []byte("\r\n"), []byte("\n"))
	doc, err := parseCUE(name, plain)
	return err == nil && doc.tree().at(path) != nil
}

var mark = []byte("\uFEFF")

func (s syntax) edit(name string, text []byte, changes []Change) ([]byte, error) {
	plain, marked := bytes.CutPrefix(text, mark)
	if s.windows = bytes.Contains(plain, []byte("\r\n")); s.windows {
		plain = bytes.ReplaceAll(plain, []byte("\r\n"), []byte("\n"))
	}
	if problem := unreadable(name, text, plain, s.windows); problem != nil {
		return nil, problem
	}
	if _, err := s.parse(name, s.ended(plain)); err != nil {
		return nil, err
	}
	for _, c := range changes {
		if problem := c.check(); problem != "" {
			return nil, &Error{name, 1, 1, c.path, problem, "this is a mistake of who asked for it"}
		}
		var err error
		if plain, err = s.change(name, plain, c); err != nil {
			return nil, err
		}
	}
	plain = s.ended(plain)
	if marked {
		plain = slices.Concat(mark, plain)
	}
	return plain, nil
}

// ended is a text with the line ends of the file.
func (s syntax) ended(text []byte) []byte {
	if !s.windows {
		return text
	}
	return bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
}

// unreadable finds what makes offsets or line ends uncertain.
func unreadable(name string, text, plain []byte, windows bool) error {
	at := func(offset int, message, remedy string) error {
		line, column := lines(text).place(offset)
		return &Error{name, line, column, nil, message, remedy}
	}
	if !utf8.Valid(text) {
		valid := 0
		for r, size := utf8.DecodeRune(text); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRune(text[valid:]) {
			valid += size
		}
		return at(valid, "not UTF-8 text", "save the file as UTF-8")
	}
	if i := bytes.IndexByte(plain, '\r'); i >= 0 || windows && bytes.Count(text, []byte("\r\n")) != bytes.Count(text, []byte("\n")) {
		return at(max(0, bytes.IndexByte(text, '\r')), "lines end in more than one way", "save the file with one kind of line ends")
	}
	return nil
}

// change makes steps of a change: what a map brings to another is set one by
// one, and members of maps are keys.
func (s syntax) change(name string, text []byte, c Change) ([]byte, error) {
	doc, err := s.parse(name, text)
	if err != nil {
		return nil, err
	}
	at := doc.tree().at(c.path)
	isList := at != nil && len(at.lists) > 0
	switch {
	case c.op == set:
		m, isMap := c.value.(Map)
		if !isMap || len(m) == 0 || at == nil || at.isEmpty() {
			break
		}
		for _, e := range m {
			c := Set(append(slices.Clone(c.path), e.Key), e.Value)
			if text, err = s.change(name, text, c); err != nil {
				return nil, err
			}
		}
		return text, nil
	case c.op == add && s.lists && (at == nil || at.isEmpty() && at.fields == nil):
		c = Set(c.path, list{c.member})
	case c.op == add && !isList:
		path := append(slices.Clone(c.path), c.member)
		if doc.tree().at(path) != nil {
			return text, nil
		}
		c = Set(path, Map{})
	case c.op == drop && !isList:
		if at != nil && !at.isEmpty() && at.fields == nil {
			_, err := doc.splices(Set(append(slices.Clone(c.path), c.member), Map{}), false)
			return text, err
		}
		c = Remove(append(slices.Clone(c.path), c.member))
	}
	return s.step(name, text, doc, c)
}

// step makes one step, and looks at what came out.
func (s syntax) step(name string, text []byte, doc document, c Change) ([]byte, error) {
	before := doc.tree()
	want := before.with(c).String()
	unchanged := want == before.String()
	if unchanged && c.op == set {
		return text, nil
	}
	var refusal error
	for _, oneLine := range []bool{false, true} {
		parts, err := doc.splices(c, oneLine)
		if err != nil {
			return nil, err
		}
		if unchanged {
			return text, nil
		}
		edited := apply(text, parts)
		says := func(text []byte) bool {
			after, err := s.parse(name, text)
			if err != nil || after.tree().String() != want {
				return false
			}
			// CUE takes no empty lines in a text of several lines that end in \r\n.
			_, err = s.parse(name, s.ended(text))
			return err == nil
		}
		if tidy := doc.tidy(edited); says(tidy) {
			return tidy, nil
		} else if says(edited) {
			return edited, nil
		}
		at := 0
		if len(parts) > 0 {
			at = parts[0].from
		}
		refusal = doc.refuse(at, c, "what stands here cannot be changed without changing something else")
	}
	return nil, refusal
}
