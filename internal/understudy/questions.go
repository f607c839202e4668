package understudy

import (
	"fmt"
	"slices"
	"strings"
)

// questions are debconf's databases together, as its own configuration has
// them: passwords are kept apart.
type questions struct {
	config, passwords, templates *database

	asked map[string]bool // questions that this process has an object of
	known map[string]bool // templates that it has one of
}

func newQuestions() *questions {
	isPassword := func(kind string) bool { return strings.Contains(strings.ToLower(kind), "password") }
	return &questions{
		config:    &database{name: "/var/cache/debconf/config.dat", mode: 0o644, backup: true, takes: func(kind string) bool { return !isPassword(kind) }},
		passwords: &database{name: "/var/cache/debconf/passwords.dat", mode: 0o600, takes: isPassword},
		templates: &database{name: "/var/cache/debconf/templates.dat", mode: 0o644, backup: true},
		asked:     map[string]bool{}, known: map[string]bool{},
	}
}

func (q *questions) all() []*database { return []*database{q.config, q.passwords, q.templates} }

func (q *questions) save() error {
	for _, d := range q.all() {
		if err := d.save(); err != nil {
			return err
		}
	}
	return nil
}

// of gives the database that has a question.
func (q *questions) of(name string) (*database, *item) {
	for _, d := range []*database{q.config, q.passwords} {
		if i, ok := d.has(name); ok {
			return d, i
		}
	}
	return nil, nil
}

// get reports whether there is a question of a name.
func (q *questions) get(name string) bool {
	if _, i := q.of(name); i != nil {
		q.asked[name] = true
	}
	return q.asked[name]
}

// set changes a question; one that is gone stays as it is.
func (q *questions) set(name string, change func(*item)) {
	if d, i := q.of(name); i != nil {
		change(i)
		d.changed = true
	}
}

func (q *questions) addOwner(name, owner, kind string) {
	d, i := q.of(name)
	if i == nil {
		d = q.config
		if !d.takes(kind) {
			d = q.passwords
		}
	}
	d.addOwner(name, owner)
}

func (q *questions) removeOwner(name, owner string) {
	d, i := q.of(name)
	if i == nil {
		return
	}
	template := i.fields["template"]
	d.removeOwner(name, owner)
	if owner == "" {
		return // debconf takes that for a failure
	}
	if _, left := q.of(name); left == nil && template != "" {
		q.templates.removeOwner(template, name)
		delete(q.asked, name)
	}
}

// add makes a question that is new.
func (q *questions) add(name, owner, kind string) {
	q.addOwner(name, owner, kind)
	q.set(name, func(i *item) { i.flags["seen"] = "false" })
	q.asked[name] = true
}

// use gives a question its template.
func (q *questions) use(name, template string) {
	_, i := q.of(name)
	if i == nil {
		return
	}
	old, had := i.fields["template"]
	if had && old == template {
		return
	}
	if old != "" {
		q.templates.removeOwner(old, name)
	}
	q.set(name, func(i *item) { i.fields["template"] = template })
	q.templates.addOwner(template, name)
}

// loadFile takes the templates of a file in; nobody owns what no package is known
// of.
func (q *questions) loadFile(name, owner string) error {
	if !strings.HasPrefix(name, "/") {
		return errDeclined
	}
	if owner == "" {
		owner = "unknown"
	}
	templates, err := readTemplates(name)
	if err != nil {
		return err
	}
	for _, t := range templates {
		if err := q.load(t, owner); err != nil {
			return err
		}
	}
	return nil
}

// load takes a template of a package in, and makes its question.
func (q *questions) load(t templateText, owner string) error {
	kind := t.fields["type"]
	if _, i := q.of(t.name); i != nil {
		q.get(t.name)
		q.addOwner(t.name, owner, kind)
	} else {
		if q.asked[t.name] {
			return errDeclined
		}
		known, _ := q.templates.has(t.name)
		q.add(t.name, owner, kind)
		q.use(t.name, t.name)
		if known == nil {
			q.templates.addOwner(t.name, t.name)
		}
	}
	made, ok := q.templates.has(t.name)
	if !ok {
		q.templates.addOwner(t.name, t.name)
		made, _ = q.templates.has(t.name)
	}
	for name := range made.owners {
		if !q.get(name) {
			return errDeclined // debconf repairs this
		}
	}
	q.known[t.name] = true
	clear(made.fields)
	for field, value := range t.fields {
		made.fields[field] = value
	}
	q.templates.changed = true
	return nil
}

// template gives the template of a question.
func (q *questions) template(name string) (*item, error) {
	_, i := q.of(name)
	if i == nil {
		return nil, errDeclined
	}
	t, ok := q.templates.has(i.fields["template"])
	if !ok {
		return nil, errDeclined
	}
	return t, nil
}

// field gives the field of a question's template in English, or in the language
// that programs compare.
func (q *questions) field(name, field string, english bool) (string, error) {
	t, err := q.template(name)
	if err != nil {
		return "", err
	}
	language := "-c"
	if english {
		language = "-en"
		for other := range t.fields {
			if strings.HasPrefix(other, field+"-en.") {
				return "", errDeclined // it would have to be converted
			}
		}
	}
	plain, _, _ := strings.Cut(field, "-") // of one in another language
	for _, field := range []string{field + language, field, plain} {
		if value, ok := t.fields[field]; ok {
			return value, nil
		}
	}
	return "", nil
}

// own gives a field that the question itself may have.
func (q *questions) own(name, field string) (string, error) {
	if _, i := q.of(name); i != nil {
		if value, ok := i.fields[field]; ok {
			return value, nil
		}
	}
	return q.field(name, field, true)
}

// value gives the answer to a question, or the default one.
func (q *questions) value(name string) (string, error) {
	if _, i := q.of(name); i != nil {
		if value, ok := i.fields["value"]; ok {
			return value, nil
		}
	}
	return q.field(name, "default", true)
}

// flag gives a flag; "isdefault" is an old name for the contrary of "seen".
func (q *questions) flag(name, flag string) string {
	if flag == "isdefault" {
		return contrary(q.flag(name, "seen"))
	}
	if _, i := q.of(name); i != nil {
		if value, ok := i.flags[flag]; ok {
			return value
		}
	}
	return "false"
}

func (q *questions) setFlag(name, flag, value string) {
	if flag == "isdefault" {
		flag, value = "seen", contrary(value)
	}
	q.set(name, func(i *item) { i.flags[flag] = value })
}

func contrary(flag string) string {
	if flag == "true" {
		return "false"
	}
	return "true"
}

// expanded gives a field with the question's variables in it.
func (q *questions) expanded(name, field string, english bool) (string, error) {
	text, err := q.field(name, field, english)
	if err != nil {
		return "", err
	}
	return q.expand(name, text)
}

// expand puts a question's variables into a text.
func (q *questions) expand(name, text string) (string, error) {
	_, i := q.of(name)
	if i == nil {
		return "", errDeclined
	}
	var out strings.Builder
	for {
		begin := strings.Index(text, "${")
		if begin < 0 {
			break
		}
		end := strings.IndexAny(text[begin+2:], "{}")
		if end <= 0 || text[begin+2+end] != '}' || begin > 0 && text[begin-1] == '\\' {
			return "", errDeclined
		}
		out.WriteString(text[:begin])
		out.WriteString(i.variables[text[begin+2:begin+2+end]])
		text = text[begin+2+end+1:]
	}
	out.WriteString(text)
	return out.String(), nil
}

// choices gives those of a select in the language that programs compare.
func (q *questions) choices(name string) ([]string, error) {
	text, err := q.expanded(name, "choices", false)
	if err != nil || text == "" {
		return nil, err
	}
	var out []string
	var choice []byte
	for i := 0; i < len(text); i++ {
		next := byte('x')
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch {
		case text[i] == '\\' && (next == ',' || next == ' '):
			choice = append(choice, next)
			i++
		case text[i] == ',' && isSpace(next):
			out = append(out, string(choice))
			choice = nil
			for i+1 < len(text) && isSpace(text[i+1]) {
				i++
			}
		default:
			choice = append(choice, text[i])
		}
	}
	if len(choice) > 0 {
		out = append(out, string(choice))
	}
	return out, nil
}

// skip gives the answer that a question gets which nobody is asked.
func (q *questions) skip(name string) (string, error) {
	kind, err := q.own(name, "type")
	if err != nil {
		return "", err
	}
	value, err := q.value(name)
	if err != nil {
		return "", err
	}
	switch kind {
	case "boolean", "multiselect", "note", "password", "string":
		return value, nil
	case "text":
		return "", nil
	case "select":
		choices, err := q.choices(name)
		if err != nil || slices.Contains(choices, value) {
			return value, err
		}
		if len(choices) == 0 {
			return "", nil
		}
		return choices[0], nil
	}
	return "", fmt.Errorf("question %s: type %q: %w", name, kind, errDeclined)
}
