package editor_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stet/test/example"
)

// text is what a person is writing.
const text = `# yaml-language-server: $schema=./.stet.schema.json
name: web
base: minimal
users:
  ada:
    shell: /bin/sh
    
services:
  nginx:
    sites:
      shop:
        
  ssh: {prt: 22}
timezone: 3
packages: [curl]
`

// TestEditorsCompleteAndExplain drives the language server over a stet.yaml:
// names are completed with the schema's words, hovering explains, and what is
// certainly wrong is marked.
func TestEditorsCompleteAndExplain(t *testing.T) {
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	stet, err := example.Stet()
	if err != nil {
		t.Fatal(err)
	}
	store, err := example.Store()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	options := exec.Command(stet, "-C", filepath.Join(root, "examples/hello"), "options", "--json-schema")
	options.Env = append(os.Environ(), store)
	schema, err := options.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".stet.schema.json"), schema, 0o666); err != nil {
		t.Fatal(err)
	}
	s := start(t, filepath.Join(root, ".cache/node/node_modules/yaml-language-server/bin/yaml-language-server"), dir)
	uri := "file://" + filepath.Join(dir, "stet.yaml")
	open, err := json.Marshal(map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "yaml", "version": 1, "text": text}})
	if err != nil {
		t.Fatal(err)
	}
	s.send(message{Method: "textDocument/didOpen", Params: open})

	// What is wrong is marked.
	var wrong struct {
		Diagnostics []struct {
			Message string
			Range   struct{ Start struct{ Line int } }
		}
	}
	published := s.next(func(m message) bool {
		return m.Method == "textDocument/publishDiagnostics" && json.Unmarshal(m.Params, &wrong) == nil && len(wrong.Diagnostics) > 0
	})
	for line, words := range map[int]string{12: "prt", 13: "string"} {
		if !slices.ContainsFunc(wrong.Diagnostics, func(d struct {
			Message string
			Range   struct{ Start struct{ Line int } }
		}) bool {
			return d.Range.Start.Line == line && strings.Contains(d.Message, words)
		}) {
			t.Errorf("line %d is not marked: %s", line+1, published.Params)
		}
	}

	at := func(line, character int) map[string]any {
		return map[string]any{"textDocument": map[string]string{"uri": uri}, "position": map[string]int{"line": line, "character": character}}
	}
	for _, c := range []struct {
		line, character int
		want            map[string]string // a name, and a word of what is said of it
	}{
		{6, 4, map[string]string{"ssh_keys": "may log in", "groups": "Supplementary", "home": "home directory"}},
		{11, 8, map[string]string{"root": "directory whose files", "listen": "TCP port"}},
	} {
		var completion struct {
			Items []struct {
				Label         string
				Documentation any
			}
		}
		s.call("textDocument/completion", at(c.line, c.character), &completion)
		for name, words := range c.want {
			said := ""
			for _, item := range completion.Items {
				if item.Label == name {
					text, _ := json.Marshal(item.Documentation)
					said = string(text)
				}
			}
			if !strings.Contains(said, words) {
				t.Errorf("line %d: %s is completed with %q, want %q; there are %d names", c.line+1, name, said, words, len(completion.Items))
			}
		}
		for _, item := range completion.Items {
			if item.Label == "shell" || item.Label == "name" {
				t.Errorf("line %d: %q is offered", c.line+1, item.Label)
			}
		}
	}

	var hover struct{ Contents any }
	s.call("textDocument/hover", at(2, 1), &hover)
	if said, _ := json.Marshal(hover.Contents); !strings.Contains(string(said), "What is there before anything is declared") {
		t.Errorf("hovering over base says %s", said)
	}
}
