package guide_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stet/test/example"
)

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	symbol  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// anchors are the names that GitHub gives to the headings of a page.
func anchors(text string) map[string]bool {
	all := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		all[strings.ReplaceAll(symbol.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-")] = true
	}
	return all
}

// TestLinksLeadSomewhere follows every link from one page to another.
func TestLinksLeadSomewhere(t *testing.T) {
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all(t, []string{"*.md", "docs/*.md", "docs/*/*.md"}) {
		for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(page(t, name), ""), -1) {
			to, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			if to = path.Join(path.Dir(name), to); strings.HasPrefix(found[1], "#") {
				to = name
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil {
				t.Errorf("%s: there is no %s", name, found[1])
			} else if anchor != "" && !anchors(page(t, to))[anchor] {
				t.Errorf("%s: %s has no heading %q", name, to, anchor)
			}
		}
	}
}

// TestTheIndexHasEveryPage: what nothing leads to is not read.
func TestTheIndexHasEveryPage(t *testing.T) {
	index := page(t, "docs/README.md")
	for _, name := range all(t, []string{"docs/*.md", "docs/*/*.md"}) {
		if short := strings.TrimPrefix(name, "docs/"); name != "docs/README.md" && !strings.Contains(index, "]("+short+")") {
			t.Errorf("docs/README.md does not lead to %s", name)
		}
	}
}
