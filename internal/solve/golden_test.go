package solve

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"stet/internal/debian"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestExplanations asks for what cannot be had, in shapes of real packages, and
// compares what Stet says. Each file has wishes, an index and the words; stanzas
// are completed with what does not matter.
func TestExplanations(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]*txtar.File{}
			for i := range archive.Files {
				parts[archive.Files[i].Name] = &archive.Files[i]
			}
			u := NewUniverse(Group{Catalogs: catalogs(completed(t, string(parts["Packages"].Data)))})
			_, err = Solve(u, asked(t, string(parts["wishes"].Data)))
			if err == nil {
				t.Fatal("solved")
			}
			got := err.Error() + "\n"
			if *update {
				parts["error"].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want := string(parts["error"].Data); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// asked reads lines of "want NAME because WHO", "exclude NAME because WHO" and
// "priority NAME".
func asked(t *testing.T, text string) Request {
	req := Request{Architecture: "amd64", Exclude: map[string]string{}}
	for line := range strings.Lines(text) {
		words, who, _ := strings.Cut(strings.TrimSpace(line), " because ")
		verb, name, _ := strings.Cut(words, " ")
		switch verb {
		case "want":
			req.Wants = append(req.Wants, Want{Name: name, Because: who})
		case "exclude":
			req.Exclude[name] = who
		case "priority":
			req.Priorities = append(req.Priorities, name)
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return req
}

// completed parses stanzas that say only what matters.
func completed(t *testing.T, text string) []*debian.Package {
	var b strings.Builder
	for i, stanza := range strings.Split(strings.TrimSpace(text), "\n\n") {
		b.WriteString(stanza + "\n")
		if !strings.Contains(stanza, "\nArchitecture: ") {
			b.WriteString("Architecture: amd64\n")
		}
		fmt.Fprintf(&b, "Filename: pool/%d.deb\nSize: 1\nSHA256: %064x\n\n", i, i)
	}
	pkgs, err := debian.ParsePackages(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return pkgs
}
