package option

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"stet/internal/similar"
)

// Kind is what an option's value looks like in a configuration.
type Kind string

// The kinds of an [Option].
const (
	Block  Kind = "block"  // options of certain names
	Map    Kind = "map"    // members by names of one's own
	Set    Kind = "set"    // a map that YAML may write as a list of names
	List   Kind = "list"   // members in order
	Scalar Kind = "scalar" // text, numbers and booleans
)

// Option is one thing that can be declared.
type Option struct {
	Name     string          `json:"name"` // in capitals: a name of one's own, such as NAME
	Kind     Kind            `json:"kind"`
	Doc      string          `json:"doc,omitempty"`     // whole sentences, without line breaks
	Type     string          `json:"type"`              // in words, such as "true or false"
	Types    []string        `json:"types,omitempty"`   // of a scalar, as JSON Schema names them
	Choices  []string        `json:"choices,omitempty"` // of an enumeration
	Default  json.RawMessage `json:"default,omitempty"`
	Required bool            `json:"required,omitempty"`
	Example  string          `json:"example,omitempty"` // a value, as YAML writes it; of a placeholder, a name
	Suffix   bool            `json:"-"`                 // of a set: names in a list may have marks behind them
	Place    string          `json:"place,omitempty"`   // where it is declared: file:line:column
	Options  []*Option       `json:"options,omitempty"` // of a block, by name
	Member   *Option         `json:"member,omitempty"`  // of a map, set or list
}

// Path is an option with those it is in, outermost first.
type Path []*Option

// Last is the option itself.
func (p Path) Last() *Option { return p[len(p)-1] }

// Names are the path's elements.
func (p Path) Names() []string {
	names := make([]string, len(p))
	for i, o := range p {
		names[i] = o.Name
	}
	return names
}

// String is the path as people write it: users.NAME.shell, tests.NAME[].run.
func (p Path) String() string {
	var b strings.Builder
	for i, o := range p {
		if i > 0 && p[i-1].Kind == List {
			b.WriteString("[]")
			continue
		}
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(o.Name)
	}
	return b.String()
}

// inner are the options one step below.
func (o *Option) inner() []*Option {
	if o.Member != nil {
		return append([]*Option{o.Member}, o.Options...)
	}
	return o.Options
}

// All are the options below a root, in order, with their paths. What is only a
// member of a set, map or list is no option by itself.
func All(root *Option) []Path {
	var all []Path
	var walk func(o *Option, path Path)
	walk = func(o *Option, path Path) {
		for _, inner := range o.inner() {
			p := append(path[:len(path):len(path)], inner)
			if inner != o.Member && o.Kind != Set {
				all = append(all, p)
			}
			walk(inner, p)
		}
	}
	walk(root, nil)
	return all
}

// Find gives the options that all words occur in: in their path, or at the
// beginning of a word of their text, whatever the case. Those with the words in
// their names come first. A whole path gives that option and those below it.
func Find(root *Option, words []string) []Path {
	var below, named, told []Path
	for _, p := range All(root) {
		path, text := strings.ToLower(p.String()), strings.ToLower(p.Last().Doc)
		inPath, inText := true, true
		for _, word := range words {
			word = strings.ToLower(word)
			inPath = inPath && strings.Contains(path, word)
			inText = inText && (strings.Contains(path, word) || begins(text, word))
		}
		switch {
		case inPath:
			named = append(named, p)
		case inText:
			told = append(told, p)
		}
		if len(words) == 1 && (p.String() == words[0] || strings.HasPrefix(p.String(), words[0]+".") || strings.HasPrefix(p.String(), words[0]+"[]")) {
			below = append(below, p)
		}
	}
	if len(below) > 0 {
		return below
	}
	return append(named, told...)
}

// begins says whether a word of a text begins with another.
func begins(text, word string) bool {
	for at := 0; ; {
		i := strings.Index(text[at:], word)
		if i < 0 {
			return false
		}
		if at += i; at == 0 || !isLetter(text[at-1]) {
			return true
		}
		at += len(word)
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 0x80 }

// Near is the name of an option that a mistyped word most likely means, or "".
func Near(root *Option, word string) string {
	var names []string
	for _, p := range All(root) {
		if !slices.Contains(names, p.Last().Name) {
			names = append(names, p.Last().Name)
		}
	}
	return similar.Nearest(word, names)
}

// Sentence is the first sentence of an option's text.
func (o *Option) Sentence() string {
	for i := range len(o.Doc) {
		if o.Doc[i] == '.' && (i+1 == len(o.Doc) || o.Doc[i+1] == ' ') {
			return o.Doc[:i+1]
		}
	}
	return o.Doc
}

// Snippet is the option with its example in a line of YAML, or "".
func (p Path) Snippet() string {
	text := p.Last().Example
	if text == "" {
		return ""
	}
	for i := len(p) - 1; i >= 0; i-- {
		name := p[i].Name
		if i > 0 && p[i-1].Member == p[i] {
			if p[i-1].Kind == List {
				text = "[" + text + "]"
				continue
			}
			name = p[i-1].memberName()
		}
		if i == 0 {
			return name + ": " + text
		}
		text = fmt.Sprintf("{%s: %s}", name, text)
	}
	return text
}

// memberName is a name that a member of a map could have.
func (o *Option) memberName() string {
	if o.Member.Kind != Scalar && o.Member.Example != "" {
		return o.Member.Example
	}
	return "example"
}

// Value is the default as YAML writes it in a line, or "".
func (o *Option) Value() string { return string(o.Default) }
