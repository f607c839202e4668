package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// errorsPage shows some of the scripts of wrong configurations: below a mark
// with the script's name stands what the script has.
const errorsPage = "../../docs/errors.md"

var shownError = regexp.MustCompile(`(?s)<!-- (error-[a-z0-9-]+) -->\n.*?<!-- end -->\n`)

// TestThePageOfErrorsIsInStep holds docs/errors.md to what the scripts expect,
// and so to what stet says.
func TestThePageOfErrorsIsInStep(t *testing.T) {
	is, err := os.ReadFile(errorsPage)
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	want := shownError.ReplaceAllStringFunc(string(is), func(section string) string {
		shown++
		name := shownError.FindStringSubmatch(section)[1]
		text, err := errorSection(name)
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprintf("<!-- %s -->\n%s<!-- end -->\n", name, text)
	})
	if shown < 10 {
		t.Errorf("%s shows only %d errors", errorsPage, shown)
	}
	if *update {
		if err := os.WriteFile(errorsPage, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(is)); diff != "" {
		t.Errorf("run `make pages`:\n%s", diff)
	}
}

// errorSection is a script as part of a page: its files, and what stet says.
func errorSection(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join("testdata/script", name+".txtar"))
	if err != nil {
		return "", err
	}
	archive := txtar.Parse(text)
	var b strings.Builder
	for _, f := range archive.Files {
		data := strings.TrimRight(string(f.Data), "\n")
		if f.Name == "want" {
			fmt.Fprintf(&b, "\n```text\n%s\n```\n", data)
			continue
		}
		kind := strings.TrimPrefix(filepath.Ext(f.Name), ".")
		fmt.Fprintf(&b, "\n`%s`:\n\n```%s\n%s\n```\n", f.Name, kind, data)
	}
	b.WriteString("\n")
	return b.String(), nil
}

// TestThereAreManyWrongConfigurations: the language's promise is its errors.
func TestThereAreManyWrongConfigurations(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/error-*.txtar")
	if err != nil || len(scripts) < 60 {
		t.Errorf("there are %d scripts of wrong configurations, %v", len(scripts), err)
	}
	for _, name := range scripts {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range txtar.Parse(text).Files {
			if f.Name == "want" && !regexp.MustCompile(`^[a-z./A-Z]+(:[0-9]+:[0-9]+)?: `).Match(f.Data) {
				t.Errorf("%s does not begin with a place:\n%s", name, f.Data)
			}
			if f.Name == "want" && strings.Contains(string(f.Data), "goroutine") {
				t.Errorf("%s has a stack trace", name)
			}
		}
	}
}
