package option

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree is a little language.
func tree() *Option {
	return &Option{Kind: Block, Options: []*Option{
		{Name: "name", Kind: Scalar, Type: "a name", Types: []string{"string"}, Doc: "What it is called. Once.", Example: "web-1", Required: true},
		{Name: "base", Kind: Scalar, Type: `"small" or "large"`, Types: []string{"string"}, Choices: []string{"small", "large"}, Default: json.RawMessage(`"small"`), Example: "large"},
		{Name: "users", Kind: Map, Type: "by name", Doc: "Who may come in.", Member: &Option{Name: "NAME", Kind: Block, Example: "ada", Options: []*Option{
			{Name: "shell", Kind: Scalar, Type: "a path", Types: []string{"string"}, Doc: "What greets them.", Example: "/bin/sh"},
			{Name: "groups", Kind: Set, Type: "a set", Example: "[sudo]", Member: &Option{Name: "NAME", Kind: Block, Example: "sudo"}},
		}}},
		{Name: "tests", Kind: Map, Type: "by name", Member: &Option{Name: "NAME", Kind: List, Type: "a list", Member: &Option{Kind: Block, Options: []*Option{
			{Name: "port", Kind: Scalar, Type: "a number", Types: []string{"integer", "string"}, Example: "80", Doc: "Where to knock."},
		}}}},
	}}
}

func names(paths []Path) string {
	var all []string
	for _, p := range paths {
		all = append(all, p.String())
	}
	return strings.Join(all, " ")
}

func TestFind(t *testing.T) {
	for words, want := range map[string]string{
		"":           "name base users users.NAME.shell users.NAME.groups tests tests.NAME[].port",
		"shell":      "users.NAME.shell",
		"SHELL":      "users.NAME.shell",
		"users.NAME": "users.NAME.shell users.NAME.groups",
		"users":      "users users.NAME.shell users.NAME.groups",
		"what":       "name users.NAME.shell",
		"hat":        "",
		"users what": "users.NAME.shell",
		"port":       "tests.NAME[].port",
		"knock":      "tests.NAME[].port",
	} {
		if got := names(Find(tree(), strings.Fields(words))); got != want {
			t.Errorf("%q finds %q, want %q", words, got, want)
		}
	}
	if got := Near(tree(), "shel"); got != "shell" {
		t.Errorf("shel is near %q", got)
	}
}

func TestSnippetsAreLinesOfYAML(t *testing.T) {
	want := map[string]string{
		"name": "name: web-1", "base": "base: large", "users": "", "users.NAME.shell": "users: {ada: {shell: /bin/sh}}",
		"users.NAME.groups": "users: {ada: {groups: [sudo]}}", "tests": "", "tests.NAME[].port": "tests: {example: [{port: 80}]}",
	}
	got := map[string]string{}
	for _, p := range All(tree()) {
		got[p.String()] = p.Snippet()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPageHasEveryOption(t *testing.T) {
	var page strings.Builder
	if err := Page(&page, tree()); err != nil {
		t.Fatal(err)
	}
	for _, p := range All(tree()) {
		if !strings.Contains(page.String(), p.String()) {
			t.Errorf("%s is missing in\n%s", p, page.String())
		}
	}
	for _, text := range []string{"\n## users\n\nWho may come in.\n", "- **`base`** (\"small\" or \"large\"; default `\"small\"`)", "- **`name`** (a name; must be given): What it is called. Once.\n  `name: web-1`\n"} {
		if !strings.Contains(page.String(), text) {
			t.Errorf("%q is missing in\n%s", text, page.String())
		}
	}
}

func TestJSONSchemaSaysWhatIsAllowed(t *testing.T) {
	text, err := JSONSchema(tree())
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) any {
		var v any = schema
		for _, name := range path {
			switch x := v.(type) {
			case map[string]any:
				v = x[name]
			case []any:
				v = x[int(name[0]-'0')]
			}
		}
		return v
	}
	for _, c := range []struct {
		path string
		want any
	}{
		{"additionalProperties", false},
		{"required", []any{"name"}},
		{"properties name description", "What it is called. Once."},
		{"properties base enum", []any{"small", "large"}},
		{"properties base default", "small"},
		{"properties users additionalProperties properties shell type", "string"},
		{"properties users additionalProperties properties groups anyOf 0 type", "array"},
		{"properties users additionalProperties properties groups anyOf 1 type", "object"},
		{"properties tests additionalProperties items properties port type", []any{"integer", "string"}},
	} {
		if diff := cmp.Diff(c.want, at(strings.Fields(c.path)...)); diff != "" {
			t.Errorf("%s: %s\n%s", c.path, diff, text)
		}
	}
}
