package edit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"cuelang.org/go/cue"
	"cuelang.org/go/cue/cuecontext"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"
)

var (
	someKeys  = []string{"a", "on", "/etc/motd", "net.ipv4.ip_forward", "été", "b: c", "12", "x y", "f", "g"}
	someTexts = []string{"", "x", "on", "0600", "two words", "x\ny\n", "  x\n y", "x\n\n", "# x", "a: b", "é\t\"\\", "- x", "{", "x,", "x\r\ny\n", "\n\nx\n"}
)

// drawn draws maps, lists of names and scalars, as a decoder gives them.
func drawn(t *rapid.T, depth int) any {
	kinds := []string{"text", "number", "truth", "list", "null"}
	if depth > 0 {
		kinds = append(kinds, "map", "map", "map")
	}
	switch rapid.SampledFrom(kinds).Draw(t, "kind") {
	case "text":
		return rapid.SampledFrom(someTexts).Draw(t, "text")
	case "number":
		return rapid.IntRange(-100, 1000).Draw(t, "number")
	case "truth":
		return rapid.Bool().Draw(t, "truth")
	case "list":
		list := []any{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(someKeys), 0, 3, rapid.ID).Draw(t, "names") {
			list = append(list, name)
		}
		return list
	case "map":
		return drawnMap(t, depth)
	}
	return nil
}

func drawnMap(t *rapid.T, depth int) map[string]any {
	m := map[string]any{}
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(someKeys), 0, 4, rapid.ID).Draw(t, "keys") {
		m[key] = drawn(t, depth-1)
	}
	return m
}

// A scribe writes a tree in any style, with comments and blank lines.
type scribe struct {
	t    *rapid.T
	cue  bool
	said int
}

func (s *scribe) coin(what string) bool { return rapid.IntRange(0, 3).Draw(s.t, what) == 0 }

// note is a comment that the text has once.
func (s *scribe) note() string {
	s.said++
	if s.cue {
		return fmt.Sprintf("// note %d.", s.said)
	}
	return fmt.Sprintf("# note %d.", s.said)
}

func (s *scribe) behind() string {
	if s.coin("behind") {
		return "  " + s.note()
	}
	return ""
}

func (s *scribe) above(indent string) string {
	text := ""
	if s.coin("blank") {
		text += "\n"
	}
	if s.coin("above") {
		text += indent + s.note() + "\n"
	}
	return text
}

// inLine writes a value in one line.
func (s *scribe) inLine(v any) string {
	quote := func(text string) string {
		if s.cue {
			return quoteCUE(text, "", true)
		}
		return quoteYAML(text, true)
	}
	switch x := v.(type) {
	case string:
		return quote(x)
	case []any:
		var parts []string
		for _, item := range x {
			parts = append(parts, s.inLine(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, quote(key)+": "+s.inLine(x[key]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// yaml writes entries as lines.
func (s *scribe) yaml(m map[string]any, indent string) string {
	var b strings.Builder
	unit := strings.Repeat(" ", rapid.IntRange(1, 4).Draw(s.t, "unit"))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(s.above(indent) + indent + quoteYAML(key, false) + ":")
		switch x := m[key].(type) {
		case string:
			header, below, ok := literalYAML(x, len(indent), len(unit))
			if ok && !strings.HasSuffix(header, "+") && s.coin("block") { // blank lines may follow
				b.WriteString(" " + header + s.behind() + "\n" + below)
				continue
			}
		case map[string]any:
			if len(x) > 0 && !s.coin("flow") {
				b.WriteString(s.behind() + "\n" + s.yaml(x, indent+unit))
				continue
			}
		case []any:
			if len(x) > 0 && !s.coin("flow") {
				b.WriteString(s.behind() + "\n")
				dash := indent + rapid.SampledFrom([]string{"", unit}).Draw(s.t, "dash")
				for _, item := range x {
					b.WriteString(s.above(dash) + dash + "- " + s.inLine(item) + s.behind() + "\n")
				}
				continue
			}
		case nil:
			if s.coin("empty") {
				b.WriteString(s.behind() + "\n")
				continue
			}
		}
		b.WriteString(" " + s.inLine(m[key]) + s.behind() + "\n")
	}
	return b.String()
}

// fields writes entries as lines of CUE.
func (s *scribe) fields(m map[string]any, indent string) string {
	var b strings.Builder
	w := cueWriter{}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		b.WriteString(s.above(indent) + indent + w.label(key) + ": ")
		value := m[key]
		inner, isMap := value.(map[string]any)
		for isMap && len(inner) == 1 && s.coin("short") {
			only := slices.Collect(maps.Keys(inner))[0]
			b.WriteString(w.label(only) + ": ")
			value = inner[only]
			inner, isMap = value.(map[string]any)
		}
		if isMap && !s.coin("flow") {
			b.WriteString("{" + s.behind() + "\n" + s.fields(inner, indent+"\t") + indent + "}" + s.behind() + "\n")
			continue
		}
		b.WriteString(s.inLine(value) + s.behind() + "\n")
	}
	return b.String()
}

// model makes a change in a decoded tree, as the documentation says.
func model(m map[string]any, c Change, lists bool) {
	last := len(c.path) - 1
	at := m
	for _, key := range c.path[:last] {
		inner, isMap := at[key].(map[string]any)
		if !isMap {
			if c.op == remove || c.op == drop {
				return
			}
			inner = map[string]any{}
			at[key] = inner
		}
		at = inner
	}
	key := c.path[last]
	of := at[key]
	switch c.op {
	case set:
		at[key] = merged(of, c.value)
	case remove:
		delete(at, key)
	case add:
		switch x := of.(type) {
		case []any:
			if !slices.Contains(x, any(c.member)) {
				at[key] = append(slices.Clone(x), c.member)
			}
		case map[string]any:
			if _, has := x[c.member]; !has {
				x[c.member] = map[string]any{}
			}
		default:
			if at[key] = any([]any{c.member}); !lists {
				at[key] = map[string]any{c.member: map[string]any{}}
			}
		}
	case drop:
		switch x := of.(type) {
		case []any:
			at[key] = slices.DeleteFunc(slices.Clone(x), func(item any) bool { return item == c.member })
		case map[string]any:
			delete(x, c.member)
		}
	}
}

func merged(of any, v Value) any {
	switch x := v.(type) {
	case Map:
		m, isMap := of.(map[string]any)
		if !isMap {
			m = map[string]any{}
		}
		for _, e := range x {
			m[e.Key] = merged(m[e.Key], e.Value)
		}
		return m
	case String:
		return string(x)
	case Int:
		return int(x)
	case Bool:
		return bool(x)
	}
	return nil
}

func drawnChange(t *rapid.T, m map[string]any) Change {
	path := []string{}
	for inside, isMap := m, true; isMap && len(path) < 3; {
		key := rapid.SampledFrom(append(slices.Sorted(maps.Keys(inside)), someKeys...)).Draw(t, "key")
		path = append(path, key)
		if inside, isMap = inside[key].(map[string]any); rapid.IntRange(0, 2).Draw(t, "stop") == 0 {
			break
		}
	}
	text := rapid.SampledFrom(someTexts).Draw(t, "value")
	name := rapid.SampledFrom(someKeys).Draw(t, "name")
	return rapid.SampledFrom([]Change{
		Set(path, String(text)), Set(path, Int(7)), Set(path, Bool(true)), Set(path, Map{}), Set(path, Map{{name, String(text)}, {"new", Map{{"a", Int(1)}}}}),
		Add(path, name), Drop(path, name), Remove(path),
	}).Draw(t, "change")
}

// staysTheSame holds that lines which have nothing to do with a change are there
// as before, and that comments are, but those of what was removed. At most so
// many lines may be written anew.
func staysTheSame(t *rapid.T, before, after string, c Change, most int) {
	counts := map[string]int{}
	for line := range strings.Lines(after) {
		counts[strings.TrimSpace(line)]++
	}
	missing := 0
	for line := range strings.Lines(before) {
		if counts[strings.TrimSpace(line)]--; counts[strings.TrimSpace(line)] < 0 {
			missing++
		}
	}
	removes := c.op == remove || c.op == drop
	if _, isMap := c.value.(Map); !removes && !isMap && missing > most {
		t.Fatalf("%d lines are not as they were\n%s\nbefore\n%s", missing, after, before)
	}
	for _, word := range strings.SplitAfter(before, ".") {
		if i := strings.LastIndex(word, " note "); i >= 0 && !removes && strings.Count(after, word[i:]) != 1 {
			t.Fatalf("%q is lost in\n%s\nfrom\n%s", word[i:], after, before)
		}
	}
}

// linesAt is how many lines the key and the text at a path may take.
func linesAt(m map[string]any, path []string) int {
	var at any = m
	for _, key := range path {
		inner, _ := at.(map[string]any)
		at = inner[key]
	}
	text, _ := at.(string)
	return 1 + strings.Count(text, "\n") + 1
}

func TestAnEditOfYAMLIsWhatWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawnMap(t, 3)
		s := scribe{t: t}
		before := s.yaml(m, "")
		var decoded map[string]any
		if err := yaml.Unmarshal([]byte(before), &decoded); err != nil || !cmp.Equal(m, decoded) && len(m) > 0 {
			t.Fatalf("%v in what the test writes:\n%s%s", err, before, cmp.Diff(m, decoded))
		}
		c := drawnChange(t, m)
		after, err := YAML("stet.yaml", []byte(before), c)
		if err != nil {
			if !strings.Contains(err.Error(), " is expected") {
				t.Fatalf("%+v: %v\n%s", c, err, before)
			}
			return
		}
		most := linesAt(m, c.path)
		model(m, c, true)
		decoded = nil
		if err := yaml.Unmarshal(after, &decoded); err != nil || !cmp.Equal(m, decoded) && len(m) > 0 {
			t.Fatalf("%+v: %v\n%s\nfrom\n%s%s", c, err, after, before, cmp.Diff(m, decoded))
		}
		staysTheSame(t, before, string(after), c, most)
	})
}

func TestAnEditOfCUEIsWhatWasAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawnMap(t, 3)
		s := scribe{t: t, cue: true}
		before := "package stet\n\n" + s.fields(m, "")
		if s.coin("formatted") {
			tidy, _ := parseCUE("", []byte(before))
			tidy.(*cueFile).formatted = true
			before = string(tidy.tidy([]byte(before)))
		}
		if diff := cmp.Diff(any(m), valueOf(t, before)); diff != "" {
			t.Fatalf("what the test writes is another value: %s\n%s", diff, before)
		}
		c := drawnChange(t, m)
		after, err := CUE("machines.cue", []byte(before), c)
		if err != nil {
			if !strings.Contains(err.Error(), " is expected") {
				t.Fatalf("%+v: %v\n%s", c, err, before)
			}
			return
		}
		most := linesAt(m, c.path)
		model(m, c, false)
		if diff := cmp.Diff(any(m), valueOf(t, string(after))); diff != "" {
			t.Fatalf("%+v:\n%s\nfrom\n%s%s", c, after, before, diff)
		}
		tidy, err := parseCUE("", []byte(before))
		if err != nil || !tidy.(*cueFile).formatted {
			staysTheSame(t, before, string(after), c, most)
			return
		}
		if tidy, err := parseCUE("", after); err != nil || !tidy.(*cueFile).formatted {
			t.Fatalf("%+v: this is not formatted any more:\n%s\nfrom\n%s", c, after, before)
		}
	})
}

// valueOf evaluates a CUE text.
func valueOf(t *rapid.T, text string) any {
	v := cuecontext.New().CompileString(text)
	if v.Err() != nil {
		t.Fatalf("%v in\n%s", v.Err(), text)
	}
	return plainOf(v)
}

func plainOf(v cue.Value) any {
	switch v.Kind() {
	case cue.StructKind:
		m := map[string]any{}
		for fields, _ := v.Fields(); fields.Next(); {
			m[fields.Selector().Unquoted()] = plainOf(fields.Value())
		}
		return m
	case cue.ListKind:
		list := []any{}
		for items, _ := v.List(); items.Next(); {
			list = append(list, plainOf(items.Value()))
		}
		return list
	case cue.StringKind:
		text, _ := v.String()
		return text
	case cue.IntKind:
		n, _ := v.Int64()
		return int(n)
	case cue.BoolKind:
		b, _ := v.Bool()
		return b
	}
	return nil
}
