package guide_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// written counts the lines of files that somebody has to write: those with more
// than a comment.
func written(steps []step) (lines int) {
	for _, s := range steps {
		for line := range strings.Lines(s.text) {
			if text := strings.TrimSpace(line); text != "" && !strings.HasPrefix(text, "#") {
				lines++
			}
		}
	}
	return lines
}

// TestTheComparisonCountsRight counts the lines of every tool, and wants each in
// the table.
func TestTheComparisonCountsRight(t *testing.T) {
	text := page(t, "docs/compare.md")
	rows := map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| \[([^]]+)\]\(#[a-z-]+\) \| (\d+) \|`).FindAllStringSubmatch(text, -1) {
		lines, err := strconv.Atoi(row[2])
		if err != nil {
			t.Fatal(err)
		}
		rows[row[1]] = lines
	}
	tools := sections(text)[1:]
	if len(tools) != 5 || len(rows) != len(tools) {
		t.Errorf("%d tools are compared, the table has %d", len(tools), len(rows))
	}
	for _, tool := range tools {
		if lines := written(tool.steps); lines == 0 || lines != rows[tool.title] {
			t.Errorf("%s takes %d lines, the table has %d", tool.title, lines, rows[tool.title])
		}
	}
}

// TestTheToolsSayTheSame wants what the machine is about from each of them.
func TestTheToolsSayTheSame(t *testing.T) {
	for _, tool := range sections(page(t, "docs/compare.md"))[1:] {
		var text string
		for _, s := range tool.steps {
			text += s.text
		}
		for _, what := range []string{"nginx", "ada", "<h1>Hello</h1>", "ssh-ed25519 ", "ada@example"} {
			if !strings.Contains(text, what) {
				t.Errorf("%s does not say %s", tool.title, what)
			}
		}
	}
}

// TestForeignYAMLIsYAML reads what pages show of Ansible and cloud-init.
func TestForeignYAMLIsYAML(t *testing.T) {
	for _, name := range all(t, apart) {
		for _, s := range whole(page(t, name)) {
			if s.kind != "yaml" {
				continue
			}
			var value any
			if err := yaml.Unmarshal([]byte(s.text), &value); err != nil {
				t.Errorf("%s: %s: %v", name, s.file, err)
			}
		}
	}
}

func TestLinesAreCounted(t *testing.T) {
	steps := []step{{text: "#cloud-config\na\n\n  # why\n  b # how\n"}, {command: "c"}, {text: "d\n"}}
	if got := written(steps); got != 3 {
		t.Errorf("%d lines", got)
	}
}
