package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/store"
)

// Answers are what a machine answers to the questions that packages ask by
// debconf: by package, then by the question's full name.
type Answers map[string]map[string]string

// of gives the answers to questions of some packages, by name.
func (a Answers) of(has func(name string) bool) Answers {
	out := Answers{}
	for name, answers := range a {
		if has(name) && len(answers) > 0 {
			out[name] = answers
		}
	}
	return out
}

// AnswerError is an answer that no package asked for, or that a question does
// not take.
type AnswerError struct {
	Package, Question string
	Value             bool // the answer is wrong, and not the names
	Message           string
	Known             []string // what the unknown name could have been
	Remedy            string
}

// Error implements error.
func (e *AnswerError) Error() string {
	where := "debconf." + e.Package
	if e.Question != "" {
		where += ` "` + e.Question + `"`
	}
	return where + ": " + e.Message
}

// selections gives the answers as debconf-set-selections(1) reads them. They
// are held against the templates of the packages: see debconf-devel(7).
func (a Answers) selections(s *store.Store, packages []*Package) (string, error) {
	byName := map[string]*Package{}
	for _, p := range packages {
		byName[p.Name] = p
	}
	var out strings.Builder
	for _, name := range sortedKeys(a) {
		p, ok := byName[name]
		if !ok {
			return "", &AnswerError{Package: name, Message: "the machine does not have this package", Known: sortedKeys(byName)}
		}
		questions, err := questionsOf(s, p)
		if err != nil {
			return "", err
		}
		for _, question := range sortedKeys(a[name]) {
			t, ok := questions[question]
			if !ok {
				return "", &AnswerError{Package: name, Question: question, Message: "the package does not ask this", Known: asked(questions)}
			}
			value, problem := t.accept(a[name][question])
			if problem != nil {
				problem.Package, problem.Question, problem.Value = name, question, true
				return "", problem
			}
			fmt.Fprintf(&out, "%s %s %s %s\n", name, question, t.kind, value)
		}
	}
	return out.String(), nil
}

// template is one question of a package.
type template struct {
	kind    string
	choices []string // nil when they are only known when the script runs
}

// questionsOf reads the questions of a package, by name.
func questionsOf(s *store.Store, p *Package) (map[string]template, error) {
	text, err := p.controlFile(s, "templates")
	if err != nil {
		return nil, err
	}
	out := map[string]template{}
	scanner := debian.NewScanner(bytes.NewReader(text))
	for {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("package %s: read its templates: %w", p.Name, err)
		}
		t := template{kind: strings.TrimSpace(stanza.Get("Type"))}
		// Choices-C are those that scripts see, when others are shown.
		choices, named := stanza.Lookup("Choices-C")
		if !named {
			choices = stanza.Get("Choices")
		}
		if choices != "" && !strings.Contains(choices, "${") {
			t.choices = splitChoices(choices)
		}
		out[strings.TrimSpace(stanza.Get("Template"))] = t
	}
}

// asked lists the questions that can be answered.
func asked(questions map[string]template) []string {
	var out []string
	for _, name := range sortedKeys(questions) {
		if slices.Contains([]string{"boolean", "select", "multiselect", "string"}, questions[name].kind) {
			out = append(out, name)
		}
	}
	return out
}

// splitChoices splits a list at its commas, but for those after a backslash.
func splitChoices(text string) []string {
	var out []string
	var word strings.Builder
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			if r != ',' && r != ' ' {
				word.WriteByte('\\')
			}
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped = true
		case r == ',':
			out = append(out, strings.TrimSpace(word.String()))
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	return append(out, strings.TrimSpace(word.String()))
}

// accept checks an answer and gives it as debconf stores it.
func (t template) accept(answer string) (string, *AnswerError) {
	if strings.ContainsAny(answer, "\n\r\x00") {
		return "", &AnswerError{Message: "an answer is one line", Remedy: "write it without line ends"}
	}
	switch t.kind {
	case "boolean":
		if answer != "true" && answer != "false" {
			return "", &AnswerError{Message: fmt.Sprintf("expected true or false, found %q", answer)}
		}
	case "select":
		if t.choices != nil && !slices.Contains(t.choices, answer) {
			return "", t.noChoice(answer)
		}
	case "multiselect":
		for _, one := range splitChoices(answer) {
			if t.choices != nil && one != "" && !slices.Contains(t.choices, one) {
				return "", t.noChoice(one)
			}
		}
	case "string":
	case "password":
		return "", &AnswerError{
			Message: "a password would be in the repository, and in the machine's image for everybody to read",
			Remedy:  "leave it out, and set it on the machine",
		}
	default:
		return "", &AnswerError{Message: fmt.Sprintf("it asks nothing: it is of type %s", t.kind)}
	}
	return answer, nil
}

func (t template) noChoice(answer string) *AnswerError {
	list := ""
	if len(t.choices) <= 20 {
		list = ": the choices are " + strings.Join(t.choices, ", ")
	}
	return &AnswerError{Message: fmt.Sprintf("%q is none of the choices%s", answer, list)}
}

// writeSelections lets debconf know answers before any package asks.
func writeSelections(b *strings.Builder, selections string) {
	if selections != "" {
		fmt.Fprintf(b, "echo '%sanswers' >&3\nprintf %%s %s | debconf-set-selections\n", stepPrefix, quote(selections))
	}
}
