package edit

import (
	"errors"
	"strings"
	"testing"

	"cuelang.org/go/cue/ast"
	"cuelang.org/go/cue/literal"
	"cuelang.org/go/cue/parser"
	cueyaml "cuelang.org/go/encoding/yaml"
	"go.yaml.in/yaml/v4"
)

// asked makes a change of what a fuzzer has.
func asked(path, text string, kind byte) Change {
	keys := strings.Split(path, " ")
	switch kind % 8 {
	case 0:
		return Set(keys, String(text))
	case 1:
		return Set(keys, Int(len(text)))
	case 2:
		return Set(keys, Map{{"a", String(text)}, {text, Bool(true)}})
	case 3:
		return Add(keys, text)
	case 4:
		return Drop(keys, text)
	case 5:
		return Remove(keys)
	case 6:
		return Set(keys, Map{})
	}
	return Set(keys, Map{{"a", Map{{"b", String(text)}, {"c", Int(1)}}}})
}

var seedTexts = []string{"x", "x\ny\n", " x\n\n y\n\n", "on", "a: b # c", "é\u2028\t\"'\\", "#}", ""}

func FuzzYAML(f *testing.F) {
	for i, text := range []string{
		"", "# a\n", "a: 1\nb:\n  c: d # e\n  # f\n", "a: {b: [c, 'd'], \"e\": f} # g\n", "a:\n- b\n- c: {d: e}\n", "a: |+\n  b\n\n\nb: >2-\n    c\n",
		"a: &x {b: 1}\nb: *x\n<<: *x\n", "? a\n: b\n", "---\na: ~\n...\n", "{a: {b: c},\n d: [\n  e, # f\n ]}\n", "a: !!str b\n", "a: b\n  c\n\n  d # e\n", "- a: b\n  c: d\n", "a: 1\r\nb:\r\n", "\uFEFFa: {}\n",
	} {
		for kind := range byte(8) {
			f.Add(text, "a b", seedTexts[i%len(seedTexts)], kind)
			f.Add(text, "b", seedTexts[(i+3)%len(seedTexts)], kind)
		}
	}
	f.Fuzz(func(t *testing.T, before, path, text string, kind byte) {
		c := asked(path, text, kind)
		after, err := YAML("stet.yaml", []byte(before), c)
		if !refusedWell(t, err) {
			return
		}
		if again, err := YAML("stet.yaml", after, c); err != nil || string(again) != string(after) {
			t.Fatalf("the second time: %v\n%q\nfrom\n%q", err, again, after)
		}
		var root yaml.Node
		if err := yaml.Unmarshal(after, &root); err != nil {
			t.Fatalf("%v in\n%q", err, after)
		}
		if kind%8 == 0 {
			n := &root
			for _, key := range append([]string{""}, c.path...) {
				if n.Kind == yaml.DocumentNode {
					n = n.Content[0]
					continue
				}
				var inner *yaml.Node
				for i := 0; i+1 < len(n.Content); i += 2 {
					if n.Content[i].Value == key && n.Content[i].Tag != "!!merge" {
						inner = n.Content[i+1]
					}
				}
				if n = inner; n == nil {
					t.Fatalf("%q is not in\n%q", path, after)
				}
			}
			if n.Value != text || n.Tag != "!!str" {
				t.Fatalf("%s %q is there instead of %q in\n%q", n.Tag, n.Value, text, after)
			}
		}
		// What Stet reads YAML with must be able to read it, too.
		if _, err := cueyaml.Extract("before", before); err == nil {
			if _, err := cueyaml.Extract("after", after); err != nil {
				t.Fatalf("%v in\n%q\nfrom\n%q", err, after, before)
			}
		}
	})
}

// refusedWell says whether there is no error; one has to have a place.
func refusedWell(t *testing.T, err error) bool {
	if err == nil {
		return true
	}
	var refusal *Error
	if !errors.As(err, &refusal) || refusal.Line < 1 || refusal.Column < 1 || refusal.Message == "" || refusal.Remedy == "" {
		t.Fatalf("this error says too little: %#v", err)
	}
	return false
}

func FuzzCUE(f *testing.F) {
	for i, text := range []string{
		"", "package stet\n", "package stet\n\na: {\n\tb:  1 // c\n\tcd: 2\n}\n", "a: b: c: 1\n", "a: {b: 1, c: [\"d\", 2]}\nb: \"x\"\n", "a: {\n\t// b\n\n\tb: \"\"\"\n\t\tc\n\t\t\"\"\"\n}\n",
		"a: _b & {c: 1}\n_b: *1 | int\n", "a: {for x in y {b: x}}\n", "a: {b: {}, ...}\n", "X=a: \"b\"?: 1\n", "a: b: null\na: {}\n", "a: 1 @b(c)\n@d()\n", "import \"x\"\n\nlet y = x\na: {y}\n", "a: b: {c: 1}, d: 2\n", "a: #\"b\"#\r\nb: {}\r\n",
	} {
		for kind := range byte(8) {
			f.Add(text, "a b", seedTexts[i%len(seedTexts)], kind)
			f.Add(text, "b", seedTexts[(i+3)%len(seedTexts)], kind)
		}
	}
	f.Fuzz(func(t *testing.T, before, path, text string, kind byte) {
		c := asked(path, text, kind)
		after, err := CUE("machines.cue", []byte(before), c)
		if !refusedWell(t, err) {
			return
		}
		if again, err := CUE("machines.cue", after, c); err != nil || string(again) != string(after) {
			t.Fatalf("the second time: %v\n%q\nfrom\n%q", err, again, after)
		}
		file, err := parser.ParseFile("machines.cue", after)
		if err != nil {
			t.Fatalf("%v in\n%q", err, after)
		}
		if kind%8 == 0 {
			found := textsAt(file.Decls, c.path)
			if len(found) != 1 || found[0] != text {
				t.Fatalf("%q is there instead of %q in\n%q", found, text, after)
			}
		}
	})
}

// textsAt are the strings that declarations have at a path.
func textsAt(decls []ast.Decl, path []string) (found []string) {
	for _, decl := range decls {
		field, ok := decl.(*ast.Field)
		if !ok {
			continue
		}
		if name, ok := keyIn(field); !ok || name != path[0] {
			continue
		}
		for _, part := range joined(field.Value) {
			switch x := part.(type) {
			case *ast.StructLit:
				if len(path) > 1 {
					found = append(found, textsAt(x.Elts, path[1:])...)
				}
			case *ast.BasicLit:
				if text, err := literal.Unquote(strings.ReplaceAll(x.Value, "\r", "")); err == nil && len(path) == 1 {
					found = append(found, text)
				}
			}
		}
	}
	return found
}
