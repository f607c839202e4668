package lock

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What stands where an archive's id would, for packages of no archive.
const (
	synthetic = "synthetic" // Stet makes it
	local     = "local"     // it is a file of the repository
)

// Error is what is wrong with the text of a lock.
type Error struct {
	Line, Column int // from 1; the column counts bytes
	Problem      string
	Remedy       string // may be empty
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d:%d: %s", FileName, e.Line, e.Column, e.Problem)
	if e.Remedy != "" {
		text += ": " + e.Remedy
	}
	return text
}

// Parse reads the text of a lock. Every error is an [*Error].
//
// Order within the text means nothing; the Lock is sorted. All its keys name
// packages it has, and all its packages archives it has.
func Parse(text []byte) (*Lock, error) {
	p := parser{lock: &Lock{
		IDs:      IDs{Users: map[string]User{}, Groups: map[string]int{}},
		Machines: map[string]Machine{},
	}}
	if err := p.parse(text); err != nil {
		return nil, err
	}
	p.lock.Sort()
	return p.lock, nil
}

// section is where in the text the parser is: the heading in the first column.
type section string

const (
	inArchive  section = "archive"
	inPackages section = "packages"
	inTools    section = "tools"
	inUsers    section = "users"
	inGroups   section = "groups"
	inMachine  section = "machine"
)

// reference is a key or an archive's id as written, to be resolved when all
// packages and archives are known.
type reference struct {
	field   field
	machine string // empty for a tool
}

type parser struct {
	lock     *Lock
	line     int
	section  section
	machine  string // name of the machine being read
	below    bool   // inside that machine's "packages"
	hasEpoch bool

	archiveLines []int // line of each archive, to complain about incomplete ones
	machineLines map[string]int
	packageAt    map[Key]bool
	archiveRefs  []reference
	keyRefs      []reference
}

// field is one word of a line, with its place.
type field struct {
	text         string
	line, column int
}

func (f field) wrong(format string, arguments ...any) *Error {
	return &Error{Line: f.line, Column: f.column, Problem: fmt.Sprintf(format, arguments...)}
}

func (p *parser) parse(text []byte) error {
	p.machineLines = map[string]int{}
	p.packageAt = map[Key]bool{}
	for len(text) > 0 {
		p.line++
		line, rest, whole := bytes.Cut(text, []byte{'\n'})
		if !whole {
			return &Error{p.line, len(line) + 1, "the last line is cut off", `restore the file from git, or run "stet lock"`}
		}
		text = rest
		if err := p.parseLine(string(line)); err != nil {
			return err
		}
	}
	return p.finish()
}

func (p *parser) parseLine(line string) error {
	if err := p.checkLine(line); err != nil {
		return err
	}
	if p.line == 1 {
		return p.parseVersion(line)
	}
	content := strings.TrimLeft(line, " ")
	indent := len(line) - len(content)
	if content == "" && indent == 0 || strings.HasPrefix(content, "#") {
		return nil
	}
	fields := p.split(content, indent)
	for _, f := range fields {
		if f.text == "" {
			return f.wrong("fields are separated by one space, and nothing follows the last")
		}
	}
	switch indent {
	case 0:
		return p.parseSection(fields)
	case 2:
		return p.parseEntry(fields)
	case 4:
		if p.section == inMachine && p.below {
			return p.parseKey(fields, p.machine)
		}
	}
	return fields[0].wrong("this line is indented by %d spaces, which means nothing here", indent)
}

func (p *parser) checkLine(line string) error {
	for _, marker := range []string{"<<<<<<<", "=======", ">>>>>>>", "|||||||"} {
		if strings.HasPrefix(line, marker) {
			return &Error{
				p.line, 1, "an unresolved merge conflict",
				`take either side whole ("git checkout --ours stet.lock"), then run "stet lock"`,
			}
		}
	}
	for i := range len(line) {
		if c := line[i]; c == '\r' {
			return &Error{p.line, i + 1, "a carriage return", `keep git from converting line ends: put "stet.lock -text" into .gitattributes`}
		} else if c < ' ' || c >= 0x7f {
			return &Error{p.line, i + 1, fmt.Sprintf("the byte %#02x is not printable ASCII", c), ""}
		}
	}
	return nil
}

func (p *parser) parseVersion(line string) error {
	number, found := strings.CutPrefix(line, "stet.lock format ")
	format, err := strconv.Atoi(number)
	if !found || err != nil || number != strconv.Itoa(format) {
		return &Error{1, 1, `the first line is not "stet.lock format N"`, `restore the file from git, or run "stet lock"`}
	}
	if format < 1 || format > Version {
		return &Error{
			1, len("stet.lock format ") + 1,
			fmt.Sprintf("format %d is unknown to this Stet, which reads formats 1 to %d", format, Version),
			"use the Stet that wrote the lock, or a newer one",
		}
	}
	return nil
}

func (p *parser) split(content string, indent int) []field {
	var fields []field
	column := indent + 1
	for word := range strings.SplitSeq(content, " ") {
		fields = append(fields, field{word, p.line, column})
		column += len(word) + 1
	}
	return fields
}

func (p *parser) parseSection(fields []field) error {
	head := fields[0]
	p.below = false
	switch s := section(head.text); s {
	case "epoch":
		p.section = ""
		return p.parseEpoch(fields)
	case inArchive:
		if err := want(fields, "archive ID"); err != nil {
			return err
		}
		if problem := wrongName(fields[1].text); problem != "" || fields[1].text == synthetic || fields[1].text == local {
			return fields[1].wrong("%q cannot name an archive %s", fields[1].text, problem)
		}
		if _, twice := p.lock.Archive(fields[1].text); twice {
			return fields[1].wrong("a second archive %q", fields[1].text)
		}
		p.section = s
		p.lock.Archives = append(p.lock.Archives, Archive{ID: fields[1].text})
		p.archiveLines = append(p.archiveLines, p.line)
		return nil
	case inMachine:
		if err := want(fields, "machine NAME"); err != nil {
			return err
		}
		name := fields[1]
		if problem := wrongName(name.text); problem != "" {
			return name.wrong("the machine's name %q %s", name.text, problem)
		}
		if _, twice := p.lock.Machines[name.text]; twice {
			return name.wrong("a second machine %q", name.text)
		}
		p.section, p.machine = s, name.text
		p.lock.Machines[name.text] = Machine{}
		p.machineLines[name.text] = p.line
		return nil
	case inPackages, inTools, inUsers, inGroups:
		p.section = s
		return want(fields, head.text)
	}
	return head.wrong("%q is no section of a lock", head.text)
}

func (p *parser) parseEntry(fields []field) error {
	p.below = false
	switch p.section {
	case inArchive:
		return p.parseArchive(&p.lock.Archives[len(p.lock.Archives)-1], fields)
	case inPackages:
		return p.parsePackage(fields)
	case inTools:
		return p.parseKey(fields, "")
	case inUsers:
		return p.parseUser(fields)
	case inGroups:
		return p.parseGroup(fields)
	case inMachine:
		return p.parseMachine(fields)
	}
	return fields[0].wrong("this line belongs to no section")
}

func (p *parser) parseEpoch(fields []field) error {
	if err := want(fields, "epoch SECONDS TIME"); err != nil {
		return err
	}
	if p.hasEpoch {
		return fields[0].wrong("a second epoch")
	}
	seconds, err := parseNumber(fields[1], 1<<40)
	if err != nil {
		return err
	}
	date, err := parseTime(fields[2])
	if err != nil {
		return err
	}
	if date.Unix() != seconds {
		return fields[2].wrong("%s is not %d, which is %s", fields[2].text, seconds, formatTime(time.Unix(seconds, 0)))
	}
	p.lock.Epoch, p.hasEpoch = seconds, true
	return nil
}

// finish resolves what could not be while reading.
func (p *parser) finish() error {
	if p.line == 0 {
		return &Error{1, 1, "the file is empty", `restore it from git, or run "stet lock"`}
	}
	if !p.hasEpoch {
		return &Error{p.line + 1, 1, "no epoch", `restore the file from git, or run "stet lock"`}
	}
	for i, a := range p.lock.Archives {
		flat := a.Repository && strings.HasSuffix(a.Suite, "/")
		if a.Name == "" || a.Suite == "" || (len(a.Components) == 0) != flat || len(a.Architectures) == 0 || a.SHA256 == "" {
			return &Error{p.archiveLines[i], 1, fmt.Sprintf("archive %q lacks its name, suite, components, architectures or release", a.ID), ""}
		}
	}
	for _, ref := range p.archiveRefs {
		if _, found := p.lock.Archive(ref.field.text); !found {
			return ref.field.wrong("no archive %q in this lock", ref.field.text)
		}
	}
	names := indexNames(p.lock.Packages)
	seen := map[string]map[Key]bool{}
	for _, ref := range p.keyRefs {
		key, err := resolveKey(names, ref.field)
		if err != nil {
			return err
		}
		if seen[ref.machine] == nil {
			seen[ref.machine] = map[Key]bool{}
		}
		if seen[ref.machine][key] {
			return ref.field.wrong("%q is listed twice", ref.field.text)
		}
		seen[ref.machine][key] = true
		if ref.machine == "" {
			p.lock.Tools = append(p.lock.Tools, key)
			continue
		}
		m := p.lock.Machines[ref.machine]
		m.Packages = append(m.Packages, key)
		p.lock.Machines[ref.machine] = m
	}
	return p.checkMachines()
}

func (p *parser) checkMachines() error {
	var incomplete *Error
	for name, line := range p.machineLines {
		if p.lock.Machines[name].Wishes == "" && (incomplete == nil || line < incomplete.Line) {
			incomplete = &Error{line, 1, fmt.Sprintf("machine %q lacks its wishes", name), ""}
		}
	}
	if incomplete != nil {
		return incomplete
	}
	return nil
}

func resolveKey(names nameIndex, f field) (Key, error) {
	found := names.resolve(f.text)
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Key{}, f.wrong("no package %q in this lock", f.text)
	}
	return Key{}, f.wrong("%q may be %s or %s", f.text, found[0], found[1])
}
