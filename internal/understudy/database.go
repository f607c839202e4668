package understudy

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// item is a question or a template in one of debconf's databases.
type item struct {
	owners    map[string]bool
	fields    map[string]string
	variables map[string]string
	flags     map[string]string
}

func newItem() *item {
	return &item{map[string]bool{}, map[string]string{}, map[string]string{}, map[string]string{}}
}

// database is one file of debconf's (debconf.conf(5), driver File): stanzas in
// the manner of RFC 822.
type database struct {
	name   string
	mode   uint32
	backup bool
	takes  func(kind string) bool // which types of questions

	items   map[string]*item
	changed bool
	lock    *os.File
}

// whitespace is what perl's \s matches in bytes.
const whitespace = " \t\n\v\f\r"

func isSpace(c byte) bool { return strings.IndexByte(whitespace, c) >= 0 }

// read takes the file apart. It changes nothing, not even that a file is missing.
func (d *database) read() error {
	d.items = map[string]*item{}
	if isLink(d.name) {
		return errDeclined
	}
	text, err := os.ReadFile(d.name)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return errDeclined
	}
	for len(text) > 0 {
		stanza, rest, ok := bytes.Cut(text, []byte("\n\n"))
		if !ok {
			return errDeclined
		}
		text = rest
		name, i, err := parseItem(string(stanza))
		if err != nil {
			return err
		}
		d.items[name] = i
	}
	return nil
}

func parseItem(stanza string) (name string, i *item, err error) {
	i = newItem()
	inVariables := false
	for line := range strings.SplitSeq(stanza, "\n") {
		if line == "" {
			return "", nil, errDeclined
		}
		if isSpace(line[0]) {
			variable, value, ok := strings.Cut(strings.TrimLeft(line, whitespace), "=")
			if !inVariables || !ok {
				return "", nil, errDeclined
			}
			i.variables[strings.TrimRight(variable, whitespace)] = strings.ReplaceAll(withoutSpace(value), `\n`, "\n")
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || !isPlain(key, "-_@.") {
			return "", nil, errDeclined
		}
		value = withoutSpace(value)
		inVariables = false
		switch key = strings.ToLower(key); key {
		case "name":
			name = value
		case "owners":
			for _, owner := range splitList(value) {
				i.owners[owner] = true
			}
		case "flags":
			for _, flag := range splitList(value) {
				i.flags[flag] = "true"
			}
		case "variables":
			inVariables = true
		default:
			i.fields[key] = strings.ReplaceAll(value, `\n`, "\n")
		}
	}
	if name == "" {
		return "", nil, errDeclined
	}
	return name, i, nil
}

// withoutSpace takes one character of white space from the beginning.
func withoutSpace(value string) string {
	if value != "" && isSpace(value[0]) {
		return value[1:]
	}
	return value
}

// splitList splits at commas with white space behind them.
func splitList(value string) []string {
	var out []string
	if value == "" {
		return nil
	}
	for part := range strings.SplitSeq(value, ", ") {
		out = append(out, strings.TrimLeft(part, whitespace))
	}
	return out
}

// open locks the file, and makes it when it is missing: then there is nothing to
// keep a backup of.
func (d *database) open() error {
	if !exists(d.name) {
		file, err := os.OpenFile(d.name, os.O_WRONLY|os.O_TRUNC|os.O_CREATE, os.FileMode(d.mode))
		if err != nil {
			return err
		}
		file.Close()
		d.backup = false
	}
	var err error
	if d.lock, err = os.OpenFile(d.name, os.O_RDWR, 0); err != nil {
		return err
	}
	return unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// save puts a new file in the place of the old one, if anything was changed.
func (d *database) save() error {
	defer d.lock.Close()
	if !d.changed {
		return nil
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(d.items)) {
		if i := d.items[name]; i != nil {
			i.write(&out, name)
		}
	}
	file, err := os.OpenFile(d.name+"-new", os.O_WRONLY|os.O_TRUNC|os.O_CREATE, os.FileMode(d.mode))
	if err != nil {
		return err
	}
	_, err = file.Write(out.Bytes())
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if d.backup {
		_ = os.Rename(d.name, d.name+"-old")
	}
	return os.Rename(d.name+"-new", d.name)
}

func (i *item) write(out *bytes.Buffer, name string) {
	escape := func(value string) string { return strings.ReplaceAll(value, "\n", `\n`) }
	fmt.Fprintf(out, "Name: %s\n", name)
	for _, field := range slices.Sorted(maps.Keys(i.fields)) {
		fmt.Fprintf(out, "%s: %s\n", capital(field), escape(i.fields[field]))
	}
	if len(i.owners) > 0 {
		fmt.Fprintf(out, "Owners: %s\n", strings.Join(slices.Sorted(maps.Keys(i.owners)), ", "))
	}
	var flags []string
	for _, flag := range slices.Sorted(maps.Keys(i.flags)) {
		if i.flags[flag] == "true" {
			flags = append(flags, flag)
		}
	}
	if len(flags) > 0 {
		fmt.Fprintf(out, "Flags: %s\n", strings.Join(flags, ", "))
	}
	if len(i.variables) > 0 {
		out.WriteString("Variables:\n")
		for _, variable := range slices.Sorted(maps.Keys(i.variables)) {
			fmt.Fprintf(out, " %s = %s\n", variable, escape(i.variables[variable]))
		}
	}
	out.WriteByte('\n')
}

// capital makes the first letter a capital one.
func capital(word string) string {
	if word == "" || word[0] < 'a' || word[0] > 'z' {
		return word
	}
	return string(word[0]-'a'+'A') + word[1:]
}

// has gives an item that was not deleted.
func (d *database) has(name string) (*item, bool) {
	i := d.items[name]
	return i, i != nil
}

// addOwner makes the item, where there is none yet.
func (d *database) addOwner(name, owner string) {
	i, ok := d.has(name)
	if !ok {
		i = newItem()
		d.items[name] = i
	}
	if !i.owners[owner] {
		i.owners[owner] = true
		d.changed = true
	}
}

// removeOwner deletes an item that nobody owns any more.
func (d *database) removeOwner(name, owner string) {
	i, ok := d.has(name)
	if !ok {
		return
	}
	if i.owners[owner] {
		delete(i.owners, owner)
		d.changed = true
	}
	if len(i.owners) == 0 {
		d.items[name] = nil
		d.changed = true
	}
}
