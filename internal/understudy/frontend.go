package understudy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// frontend is debconf's frontend, where nobody is asked.
//
// A script that has begun cannot be handed over any more. What it says and this
// does not understand ends it, with [ErrUnfinished].
func (c *Call) frontend() (int, error) {
	of, err := c.scripts()
	if err != nil {
		return 0, err
	}
	q := newQuestions()
	for _, d := range q.all() {
		if err := d.read(); err != nil {
			return 0, err
		}
	}
	if name := of.base + "templates"; of.base != "" && exists(name) {
		if err := q.loadFile(name, of.owner); err != nil {
			return 0, err
		}
	}
	for _, d := range q.all() {
		if err := d.open(); err != nil {
			return 0, errDeclined // the packaged program says what is wrong
		}
	}
	status, err := c.converse(q, of)
	if errors.Is(err, errDeclined) {
		return 0, fmt.Errorf("%s: %w: %v", c.Args[0], ErrUnfinished, err)
	}
	return status, err
}

// converse runs the scripts and saves what they answered.
func (c *Call) converse(q *questions, of scripts) (int, error) {
	if config := of.base + "config"; of.base != "" && exists(config) {
		version := ""
		if len(c.Args) > 2 {
			version = c.Args[2]
		}
		status, err := c.script(q, of.owner, config, "configure", version)
		if err != nil || status > 0 {
			return status, err
		}
	}
	status, err := c.script(q, of.owner, c.Args[0], c.Args[1:]...)
	if err != nil {
		return 0, err
	}
	return status, q.save()
}

// scripts says whose script wants a frontend, and where what belongs to it lies.
type scripts struct {
	owner string // the package, as far as debconf can tell
	base  string // of the names of the package's templates and config; or ""
}

// scripts reads a call that is of the plain form.
func (c *Call) scripts() (of scripts, err error) {
	for name, want := range map[string]string{
		"DEBIAN_FRONTEND": "noninteractive", "DEBCONF_NONINTERACTIVE_SEEN": "true", "DEBCONF_NOWARNINGS": "yes",
		"LANGUAGE": "C", "DPKG_ROOT": "",
		"DEBIAN_HAS_FRONTEND": "", "DEBIAN_PRIORITY": "", "DEBCONF_PACKAGE": "", "DEBCONF_DEBUG": "", "DEBCONF_SYSTEMRC": "",
		"DEBCONF_DB_OVERRIDE": "", "DEBCONF_DB_FALLBACK": "", "DEBCONF_DB_REPLACE": "", "DEBCONF_C_VALUES": "", "DEBCONF_ADMIN_EMAIL": "",
	} {
		if c.Getenv(name) != want {
			return of, errDeclined
		}
	}
	if locale := c.Getenv("LC_ALL"); locale != "C" && locale != "C.UTF-8" {
		return of, errDeclined
	}
	if len(c.Args) == 0 || !strings.HasPrefix(c.Args[0], "/") || !isDirectory("/var/cache/debconf") || exists("/root/.debconfrc") {
		return of, errDeclined
	}
	dir, name := path.Split(c.Args[0])
	kind := strings.TrimPrefix(path.Ext(name), ".")
	package_ := strings.TrimSuffix(name, path.Ext(name))
	inDatabase := dir == "/var/lib/dpkg/info/" && isPlain(package_, "+-.:") && len(c.Args) > 1
	switch {
	case inDatabase && kind == "postinst":
		return scripts{package_, dir + package_ + "."}, nil
	case inDatabase && kind == "preinst" && !exists("/var/lib/dpkg/tmp.ci/control"):
		return scripts{base: dir + package_ + "."}, nil
	case slices.ContainsFunc([]string{"preinst", "postinst", "prerm", "postrm", "config"}, func(s string) bool { return strings.HasSuffix(name, s) }),
		exists(c.Args[0] + ".templates"), exists("/usr/share/debconf/templates/" + name + ".templates"):
		return of, errDeclined
	}
	return scripts{}, nil
}

// element is a question that a script wants to be asked.
type element struct {
	question string
	seen     bool // it counts as asked
}

// conversation is one script with debconf's protocol on its standard input and
// output (debconf-devel(7)).
type conversation struct {
	*questions
	owner    string
	escapes  bool
	elements []element
	busy     []string
	seen     []string
	progress bool
}

// script runs one script to its end and gives its exit status.
func (c *Call) script(q *questions, owner, name string, args ...string) (int, error) {
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), "DEBIAN_HAS_FRONTEND=1")
	command.Stderr = os.Stderr
	from, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	to, err := command.StdinPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	talk := conversation{questions: q, owner: owner}
	broken, err := talk.until(bufio.NewReader(from), to)
	if err != nil {
		_ = command.Process.Kill()
		_ = command.Wait()
		return 0, err
	}
	// The pipes stay open until it ends, as a daemon may hold its ends.
	state, err := command.Process.Wait()
	if err != nil {
		return 0, err
	}
	for _, name := range talk.seen {
		if talk.get(name) {
			talk.set(name, func(i *item) { i.flags["seen"] = "true" })
		}
	}
	if broken {
		return 128, nil
	}
	return max(0, state.ExitCode()), nil // a signal counts as none
}

// until answers what the script says, until it says no more.
func (t *conversation) until(from *bufio.Reader, to io.Writer) (broken bool, err error) {
	for {
		line, err := from.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			return broken, nil
		}
		if err != nil {
			return broken, fmt.Errorf("%q: %w", line, errDeclined)
		}
		line = strings.TrimSuffix(line, "\n")
		words := strings.FieldsFunc(line, func(r rune) bool { return r < 128 && isSpace(byte(r)) })
		if t.escapes {
			if words, err = unescape(line); err != nil {
				return broken, err
			}
		}
		if len(words) == 0 {
			return broken, fmt.Errorf("%q: %w", line, errDeclined)
		}
		if strings.EqualFold(words[0], "stop") {
			return broken, nil
		}
		answer, err := t.answer(strings.ToLower(words[0]), words[1:])
		if err != nil {
			return broken, fmt.Errorf("%q: %w", line, err)
		}
		answer, _, _ = strings.Cut(answer, "\n")
		if _, err := io.WriteString(to, answer+"\n"); err != nil {
			broken = true
		}
	}
}

// unescape splits a line in which white space and line breaks are escaped.
func unescape(line string) ([]string, error) {
	if line != "" && isSpace(line[0]) {
		return nil, errDeclined
	}
	var words []string
	var word strings.Builder
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			if line[i] == 'n' {
				word.WriteByte('\n')
			} else {
				word.WriteByte(line[i])
			}
		case isSpace(c):
			for i+1 < len(line) && isSpace(line[i+1]) {
				i++
			}
			words = append(words, word.String())
			word.Reset()
		default:
			word.WriteByte(c)
		}
	}
	if word.Len() > 0 {
		words = append(words, word.String())
	}
	return words, nil
}

// data gives an answer that has a value.
func (t *conversation) data(value string) string {
	if t.escapes {
		return "1 " + strings.ReplaceAll(strings.ReplaceAll(value, `\`, `\\`), "\n", `\n`)
	}
	return "0 " + value
}

// arity says how many words a command takes, at least and at most.
var arity = map[string][2]int{
	"version": {0, 1}, "capb": {0, 99}, "title": {0, 99}, "settitle": {1, 1}, "beginblock": {0, 99}, "endblock": {0, 99},
	"input": {2, 2}, "go": {0, 0}, "clear": {0, 0}, "get": {1, 1}, "set": {1, 999}, "reset": {1, 1}, "subst": {2, 999},
	"register": {2, 2}, "unregister": {1, 1}, "purge": {0, 0}, "metaget": {2, 2}, "fget": {2, 2}, "fset": {3, 99},
	"info": {0, 1}, "exist": {1, 1}, "progress": {1, 4}, "x_loadtemplatefile": {1, 2},
}

// answer carries out one command.
func (t *conversation) answer(command string, words []string) (string, error) {
	if n, ok := arity[command]; !ok || len(words) < n[0] || len(words) > n[1] {
		return "", errDeclined
	}
	switch command {
	case "version":
		if len(words) == 1 && words[0] != "2.0" && words[0] != "2" {
			return "", errDeclined
		}
		return "0 2.0", nil
	case "capb":
		t.escapes = slices.Contains(words, "escape")
		return "0 multiselect escape ", nil
	case "title", "beginblock", "endblock":
		return "0", nil
	case "go":
		return t.goOn()
	case "clear":
		t.elements, t.busy = nil, nil
		return "0", nil
	case "purge":
		for _, d := range []*database{t.config, t.passwords} {
			for name, i := range d.items {
				if i != nil {
					t.removeOwner(name, t.owner)
				}
			}
		}
		return "0", nil
	case "info":
		if len(words) == 0 {
			return "0", nil
		}
	case "exist":
		return fmt.Sprintf("0 %t", t.get(words[0])), nil
	case "register":
		return t.register(words[0], words[1])
	case "progress":
		return t.advance(strings.ToLower(words[0]), words[1:])
	case "x_loadtemplatefile":
		owner := t.owner
		if len(words) > 1 {
			owner = words[1]
		}
		return "0", t.loadFile(words[0], owner)
	case "input":
		return t.input(words[0], words[1])
	}
	name := words[0]
	if !t.get(name) {
		if command == "settitle" || command == "info" {
			return "10 \"" + name + "\" doesn't exist", nil
		}
		return "10 " + name + " doesn't exist", nil
	}
	return t.ask(command, name, words[1:])
}

// ask carries out a command about a question that there is.
func (t *conversation) ask(command, name string, words []string) (string, error) {
	switch command {
	case "settitle", "info":
		return "0", nil
	case "get":
		value, err := t.value(name)
		return t.data(value), err
	case "set":
		t.set(name, func(i *item) { i.fields["value"] = strings.Join(words, " ") })
		return "0 value set", nil
	case "reset":
		value, err := t.own(name, "default")
		t.set(name, func(i *item) { i.fields["value"], i.flags["seen"] = value, "false" })
		return "0", err
	case "subst":
		t.set(name, func(i *item) { i.variables[words[0]] = strings.Join(words[1:], " ") })
		return "0", nil
	case "unregister":
		if slices.Contains(t.busy, name) {
			return "10 " + name + " is busy, cannot unregister right now", nil
		}
		t.removeOwner(name, t.owner)
		return "0", nil
	case "fget":
		return "0 " + t.flag(name, words[0]), nil
	case "fset":
		if words[0] == "seen" {
			t.seen = slices.DeleteFunc(t.seen, func(s string) bool { return s == name })
		}
		t.setFlag(name, words[0], strings.Join(words[1:], " "))
		return "0 " + t.flag(name, words[0]), nil
	case "metaget":
		return t.metaget(name, strings.ToLower(words[0]))
	}
	return "", errDeclined
}

func (t *conversation) metaget(name, field string) (value string, err error) {
	switch field {
	case "description", "extended_description", "choices":
		value, err = t.expanded(name, field, true)
	case "type", "default":
		value, err = t.own(name, field)
	case "value":
		value, err = t.value(name)
	case "owners":
		_, i := t.of(name)
		if i == nil {
			return "", errDeclined
		}
		var owners []string
		for owner := range i.owners {
			owners = append(owners, owner)
		}
		slices.Sort(owners)
		value = strings.Join(owners, ", ")
	default:
		base, language, _ := strings.Cut(field, "-")
		if !slices.Contains([]string{"description", "extended_description", "choices"}, base) || !isPlain(language, "_@.") {
			return "", errDeclined
		}
		if value, err = t.own(name, field); err == nil {
			value, err = t.expand(name, value)
		}
	}
	return t.data(value), err
}

// priorities are those of questions, from the least one.
var priorities = []string{"low", "medium", "high", "critical"}

// input notes that a question is to be asked. It never is; but it counts as
// asked when it is important enough and was not asked before.
func (t *conversation) input(priority, name string) (string, error) {
	if !t.get(name) {
		return "10 \"" + name + "\" doesn't exist", nil
	}
	least, err := t.priority()
	if err != nil {
		return "", err
	}
	kind, err := t.own(name, "type")
	if err != nil || kind == "error" || !slices.Contains(priorities, priority) {
		return "", errors.Join(errDeclined, err)
	}
	if _, err := t.skip(name); err != nil {
		return "", err
	}
	seen := slices.Index(priorities, priority) >= slices.Index(priorities, least) && t.flag(name, "seen") != "true"
	t.busy = append(t.busy, name)
	if !slices.ContainsFunc(t.elements, func(e element) bool { return e.question == name }) {
		t.elements = append(t.elements, element{name, seen})
	}
	return "30 question skipped", nil
}

// priority gives the least one of questions that are asked.
func (t *conversation) priority() (string, error) {
	if !t.get("debconf/priority") {
		return "high", nil
	}
	value, err := t.value("debconf/priority")
	if value == "" {
		value = "high"
	}
	if !slices.Contains(priorities, value) {
		return "", errors.Join(errDeclined, err)
	}
	return value, err
}

// goOn answers all questions that were to be asked.
func (t *conversation) goOn() (string, error) {
	values := make([]string, len(t.elements))
	for n, e := range t.elements {
		var err error
		if values[n], err = t.skip(e.question); err != nil {
			return "", err
		}
	}
	for n, e := range t.elements {
		t.set(e.question, func(i *item) { i.fields["value"] = values[n] })
		if e.seen {
			t.seen = append(t.seen, e.question)
		}
	}
	t.elements, t.busy = nil, nil
	return "0 ok", nil
}

func (t *conversation) register(template, name string) (string, error) {
	if !t.get(template) {
		return "10 No such template, \"" + template + "\"", nil
	}
	kind, err := t.own(template, "type")
	if err != nil {
		return "", err
	}
	if _, ok := t.templates.has(template); !ok {
		return "", errDeclined
	}
	if !t.get(name) {
		t.add(name, t.owner, kind)
	}
	t.addOwner(name, t.owner, kind)
	t.use(name, template)
	return "0", nil
}

// advance takes part in a progress that nobody sees.
func (t *conversation) advance(command string, words []string) (string, error) {
	counts := map[string]int{"start": 3, "set": 1, "step": 1, "info": 1, "stop": 0}
	if n, ok := counts[command]; !ok || n != len(words) || t.progress == (command == "start") {
		return "", errDeclined
	}
	for _, word := range words {
		question := command == "info" || command == "start" && word == words[2]
		if question && !t.get(word) || !question && strings.Trim(word, "0123456789") != "" {
			return "", errDeclined
		}
	}
	t.progress = command != "stop"
	return "0 OK", nil
}
