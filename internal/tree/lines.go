package tree

import (
	"bytes"
	"errors"
	"iter"
	"strings"
)

// Files is what can be asked of a tree without reading all of it: of a [Tree], or of its
// [Lines].
type Files interface {
	// Lookup gives the entry at an absolute, clean path.
	Lookup(name string) (*Entry, bool)
	// Below gives the entries below a directory, without the directory itself.
	Below(dir string) iter.Seq[*Entry]
}

// Lines is a tree in its text, of which those entries are read that somebody asks for:
// a large tree has 150,000 of them, and who looks for units wants some hundreds.
type Lines struct{ dump []byte }

// OwnLines takes a dump of which its digest, or who gives it, says that [Tree.Dump] wrote
// it. It must not be changed any more.
func OwnLines(dump []byte) (*Lines, error) {
	if len(dump) > 0 && (!bytes.HasPrefix(dump, []byte("/ ")) || dump[len(dump)-1] != '\n') {
		return nil, errors.New("it is no dump of a tree")
	}
	return &Lines{dump}, nil
}

// Lookup implements [Files].
func (l *Lines) Lookup(name string) (*Entry, bool) {
	e, _ := l.entry(l.search(name))
	if e == nil || e.Path != name {
		return nil, false
	}
	return e, true
}

// Below implements [Files].
func (l *Lines) Below(dir string) iter.Seq[*Entry] {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	return func(yield func(*Entry) bool) {
		for at := l.search(prefix); ; {
			e, next := l.entry(at)
			if e == nil || !strings.HasPrefix(e.Path, prefix) {
				return
			}
			if e.Path != "/" && !yield(e) {
				return
			}
			at = next
		}
	}
}

// search gives where the first line begins whose path is name, or comes after it.
func (l *Lines) search(name string) int {
	low, high := 0, len(l.dump) // both are where a line begins
	for low < high {
		middle := (low + high) / 2
		begin := bytes.LastIndexByte(l.dump[:middle], '\n') + 1
		field, _, _ := bytes.Cut(l.dump[begin:high], []byte(" "))
		path, err := unescape(string(field))
		if err != nil {
			path = string(field)
		}
		if path >= name {
			high = begin
		} else {
			low = begin + bytes.IndexByte(l.dump[begin:], '\n') + 1
		}
	}
	return low
}

// entry reads the line that begins at a place, and gives where the next one does. At the
// end, and where there is no line that Dump would write, there is none.
func (l *Lines) entry(at int) (*Entry, int) {
	line, _, ended := bytes.Cut(l.dump[at:], []byte("\n"))
	if !ended {
		return nil, at
	}
	e, err := parseLine(string(line))
	if err != nil {
		return nil, at
	}
	return &e, at + len(line) + 1
}
