package understudy

import (
	"os"
	"slices"
	"strings"
)

// templateText is one template of a package (debconf-devel(7)), its fields with
// their translations; "extended_" has the lines behind the first.
type templateText struct {
	name   string
	fields map[string]string
}

// templateFields are those that templates have.
var templateFields = []string{"description", "choices", "default", "type"}

// readTemplates takes a package's templates apart.
func readTemplates(name string) ([]templateText, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, errDeclined
	}
	var out []templateText
	for rest := string(text); rest != ""; {
		var stanza string
		stanza, rest, _ = strings.Cut(rest, "\n\n")
		t, err := parseTemplate(strings.Trim(stanza, "\n"))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func parseTemplate(stanza string) (templateText, error) {
	t := templateText{fields: map[string]string{}}
	var field, value, extended string
	keep := func() error {
		if field == "" {
			return nil
		}
		base, _, _ := strings.Cut(field, "-")
		if _, twice := t.fields[field]; twice || field != "template" && !slices.Contains(templateFields, base) {
			return errDeclined
		}
		t.fields[field] = value
		if extended = strings.TrimRight(extended, "\n"); extended != "" {
			t.fields["extended_"+field] = extended
		}
		return nil
	}
	for line := range strings.SplitSeq(stanza, "\n") {
		if line == "" {
			return t, errDeclined
		}
		if isSpace(line[0]) {
			extended = extend(extended, line[1:])
			continue
		}
		if err := keep(); err != nil {
			return t, err
		}
		var ok bool
		field, value, ok = strings.Cut(line, ":")
		if !ok || !isPlain(field, "-_@.") {
			return t, errDeclined
		}
		field, value, extended = strings.ToLower(field), strings.TrimRight(withoutSpace(value), whitespace), ""
	}
	if err := keep(); err != nil {
		return t, err
	}
	t.name = t.fields["template"]
	delete(t.fields, "template")
	if t.name == "" || t.fields["type"] == "" || strings.ContainsAny(t.fields["type"], whitespace) {
		return t, errDeclined
	}
	return t, nil
}

// extend adds a line to an extended field: paragraphs flow, and what is indented
// more stays a line.
func extend(extended, line string) string {
	if line == "." {
		return extended + "\n\n"
	}
	flows := extended == "" || strings.HasSuffix(extended, "\n") || strings.HasSuffix(extended, " ")
	bit := strings.TrimRight(line, whitespace)
	if line != "" && isSpace(line[0]) {
		if !flows {
			extended += "\n"
		}
		return extended + bit + "\n"
	}
	if !flows {
		extended += " "
	}
	return extended + bit
}
