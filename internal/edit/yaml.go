package edit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// yamlFile is a YAML text that was parsed.
type yamlFile struct {
	lines
	name string
	root *yaml.Node // nil: there is nothing
	says *tree
	unit int // one level of indentation
}

func parseYAML(name string, text []byte) (document, error) {
	f := &yamlFile{lines: text, name: name, unit: 2}
	refuse := func(line, column int, message, remedy string) error {
		return &Error{name, max(1, line), max(1, column), nil, message, remedy}
	}
	for _, r := range []string{"\u0085", "\u2028", "\u2029", "\uFEFF"} {
		if i := bytes.Index(text, []byte(r)); i >= 0 {
			line, column := f.place(i)
			return nil, refuse(line, column, fmt.Sprintf("the character %+q stands here as itself", []rune(r)[0]), "write it as an escape in double quotes")
		}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var node, second yaml.Node
	err := decoder.Decode(&node)
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			return nil, refuse(second.Line, second.Column, "a second document begins here", "keep one document in a file")
		}
	}
	if err != nil && err != io.EOF {
		line, column := 1, 1
		var precise *yaml.LoadError
		message := err.Error()
		if errors.As(err, &precise) {
			line, column, message = precise.Mark.Line, precise.Mark.Column, precise.Message
		}
		return nil, refuse(line, column, "not YAML: "+message, "mend it by hand")
	}
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		f.root = node.Content[0]
	}
	if f.says, err = f.treeOf(f.root); err != nil {
		return nil, err
	}
	if f.root == nil || f.says.isEmpty() {
		f.says.open()
	}
	f.unit = unitOf(f.root)
	return f, nil
}

func (f *yamlFile) tree() *tree { return f.says }

func (f *yamlFile) tidy(edited []byte) []byte { return edited }

func (f *yamlFile) refuse(at int, c Change, message string) error {
	line, column := f.place(at)
	return &Error{f.name, line, column, c.path, message, byHand}
}

// treeOf is what a node says. An anchor, a tag or an alias is part of it.
func (f *yamlFile) treeOf(n *yaml.Node) (*tree, error) {
	t := &tree{}
	if n == nil {
		return t, nil
	}
	if n.Anchor != "" {
		t.rest = append(t.rest, "&"+n.Anchor)
	}
	if n.Style&yaml.TaggedStyle != 0 {
		t.rest = append(t.rest, n.Tag)
	}
	switch n.Kind {
	case yaml.MappingNode:
		t.fields = map[string]*tree{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := keyOf(n.Content[i])
			if t.fields[key] != nil {
				return nil, f.refuse(f.start(n.Content[i]), Change{}, fmt.Sprintf("the key %q is written twice", key))
			}
			field, err := f.treeOf(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			t.fields[key] = field
		}
	case yaml.SequenceNode:
		items := []*tree{}
		for _, child := range n.Content {
			item, err := f.treeOf(child)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		t.lists = [][]*tree{items}
	case yaml.AliasNode:
		t.scalars = []string{"*" + n.Value}
	case yaml.ScalarNode:
		t.scalars = []string{scalarIn(n)}
	}
	return t, nil
}

// scalarIn is the normal form of a scalar node.
func scalarIn(n *yaml.Node) string {
	if kind := strings.TrimPrefix(n.Tag, "!!"); kind != null {
		return kind + " " + n.Value
	}
	return null
}

// keyOf is the name that a key stands for: that of a scalar is its text, as it is
// for Stet.
func keyOf(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Tag != mergeTag {
		return n.Value
	}
	var all strings.Builder
	fmt.Fprintf(&all, "\x00%s %s %s", n.Tag, n.Anchor, n.Value)
	for _, child := range n.Content {
		all.WriteString("\x00" + keyOf(child))
	}
	return all.String()
}

const mergeTag = "!!merge"

// unitOf is how far the first block in a block is indented, or two spaces.
func unitOf(n *yaml.Node) int {
	if n == nil || n.Kind != yaml.MappingNode || n.Style&yaml.FlowStyle != 0 {
		return 2
	}
	for i := 1; i < len(n.Content); i += 2 {
		inner := n.Content[i]
		if inner.Kind == yaml.MappingNode && inner.Style&yaml.FlowStyle == 0 && len(inner.Content) > 0 {
			return max(1, inner.Content[0].Column-n.Content[0].Column)
		}
	}
	return 2
}
