package adopt

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"stet/internal/drift"
	"stet/internal/edit"
	"stet/internal/machine"
	"stet/internal/plan"
	"stet/internal/tree"
)

// largestText is how many bytes a text may have to stand in a configuration; a
// larger file is copied into the repository.
const largestText = 4 << 10

// sourcesDirectory is where files of the machine are copied to in a repository.
const sourcesDirectory = "files"

// file adopts a file, directory or link of /etc.
func (a *adopter) file(f drift.Finding) {
	d := a.Drifted[f.Path]
	d.Path = f.Path
	switch {
	case !a.Named && a.movedOn(d.Path):
		a.leave(f, "the repository declares another content by now than the system that runs has", "`stet adopt "+d.Path+"` declares this one in its place; or edit the configuration by hand")
	case d.Size > mostAtOnce:
		a.leave(f, fmt.Sprintf("it has more than %d MiB, and a repository is kept for ever", mostAtOnce>>20), "`persist: ["+f.Path+"]` lets the machine keep it")
	case len(d.Attributes) > 0:
		a.leave(f, "no option stands for its attributes: "+strings.Join(d.Attributes, ", "), "`persist: ["+f.Path+"]` lets the machine keep it")
	case a.options(f, d), a.unitFile(f, d):
	default:
		if a.Owner("files", d.Path) == Module {
			a.otherwise(f, "a module makes it, and no option stands for what changed", "`stet why "+f.Path+"` says which module; its `extra` may take the lines")
		}
		a.entry(f, d)
	}
}

// movedOn reports whether the repository declares another content of a file than the
// system that runs has, which was built before: one of the two changes would be lost.
func (a *adopter) movedOn(name string) bool {
	if a.Before == nil {
		return false
	}
	before, ok := a.Before(name)
	if !ok {
		return false
	}
	switch declared := a.Declared.Files[name]; declared.Kind {
	case machine.FileText:
		return declared.Text != string(before)
	case machine.FileSource:
		now, err := a.Source(declared.Source)
		return err == nil && !bytes.Equal(now, before)
	}
	return false
}

// entry adopts what is at a path as one of files.
func (a *adopter) entry(f drift.Finding, d plan.Drifted) {
	option := []string{"files", d.Path}
	switch {
	case d.Change == plan.Deleted && a.Owner(option...) == Person:
		a.change(edit.Remove(option))
	case d.Change == plan.Deleted:
		a.change(edit.Set(option, edit.Map{{Key: "absent", Value: edit.Bool(true)}}))
	case d.Type == tree.Symlink.String():
		a.set(d.Path, edit.Map{{Key: "link", Value: edit.String(d.Target)}})
		a.want(f, d.Path, d.Target)
	case d.Type == tree.Directory.String():
		a.set(d.Path, append(edit.Map{{Key: "directory", Value: edit.Bool(true)}}, a.attributes(d.Path, d, "0755")...))
	case d.Type != tree.Regular.String():
		a.leave(f, "it is neither a file nor a directory nor a link", "what is to be there while the machine runs belongs below /run (tmpfiles.d(5))")
	case isSecret(d):
		a.leave(f, "others may not read it, and a repository is read by many", "`persist: ["+d.Path+"]` lets the machine keep it")
	default:
		a.content(f, d)
	}
}

// isSecret reports whether not everybody may read a file.
func isSecret(d plan.Drifted) bool { return d.Mode&0o004 == 0 }

func (a *adopter) want(f drift.Finding, name, text string) {
	a.proposal.Wants = append(a.proposal.Wants, Want{f, name, text})
}

// set declares a file anew, or changes how it is declared: of what it was before,
// nothing may stay that contradicts.
func (a *adopter) set(name string, value edit.Map) {
	option := []string{"files", name}
	if a.Owner(option...) == Person && !sameKind(a.Declared.Files[name].Kind, value[0].Key) {
		a.change(edit.Remove(option))
	}
	a.change(edit.Set(option, value))
}

func sameKind(kind machine.FileKind, key string) bool { return string(kind) == key }

// content adopts what is in a regular file: in the file of the repository that it
// comes from, as a text, or in a new file of the repository.
func (a *adopter) content(f drift.Finding, d plan.Drifted) {
	content, err := a.Read(d.Path)
	if err != nil {
		a.leave(f, fmt.Sprintf("it cannot be read: %v", err), "")
		return
	}
	attributes := a.attributes(d.Path, d, "0644")
	if declared := a.Declared.Files[d.Path]; declared.Kind == machine.FileSource && a.Owner("files", d.Path) == Person {
		a.proposal.Files[declared.Source] = content
		if len(attributes) > 0 {
			a.change(edit.Set([]string{"files", d.Path}, attributes))
		}
		return
	}
	if len(content) <= largestText && isText(content) {
		a.set(d.Path, append(edit.Map{{Key: "text", Value: edit.String(content)}}, attributes...))
		a.want(f, d.Path, string(content))
		return
	}
	name := path.Join(sourcesDirectory, d.Path)
	a.proposal.Files[name] = content
	a.set(d.Path, append(edit.Map{{Key: "source", Value: edit.String("./" + name)}}, attributes...))
}

func isText(content []byte) bool {
	return utf8.Valid(content) && !bytes.ContainsFunc(content, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f })
}

// attributes are mode and owner, where they are not what a file has by itself, or
// what is declared of it is another.
func (a *adopter) attributes(name string, d plan.Drifted, mode string) (m edit.Map) {
	declared, known := a.Declared.Files[name]
	was := map[string]string{"mode": mode, "user": "root", "group": "root"}
	if known && declared.Kind != machine.FileLink && declared.Kind != machine.FileAbsent {
		was = map[string]string{"mode": fmt.Sprintf("%04o", declared.Mode), "user": declared.User, "group": declared.Group}
	}
	for _, of := range []struct{ key, is string }{
		{"mode", fmt.Sprintf("%04o", d.Mode)}, {"user", a.userName(d.UID)}, {"group", a.groupName(fmt.Sprint(d.GID))},
	} {
		if of.is != was[of.key] {
			m = append(m, edit.Entry{Key: of.key, Value: edit.String(of.is)})
		}
	}
	return m
}

func (a *adopter) userName(uid uint32) string {
	for name, u := range a.Is.Users {
		if u.UID == fmt.Sprint(uid) {
			return name
		}
	}
	return fmt.Sprint(uid)
}

// options adopts the lines of a file that stand for options, and reports whether
// there were any that changed.
func (a *adopter) options(f drift.Finding, d plan.Drifted) bool {
	lines, ok := a.Declared.Adopt[f.Path]
	if !ok || d.Change == plan.Deleted {
		return false
	}
	text := d.Target
	if d.Type == tree.Regular.String() {
		content, err := a.Read(f.Path)
		if err != nil {
			return false
		}
		text = string(content)
	}
	changed := false
	for _, option := range slices.Sorted(maps.Keys(lines)) {
		line := lines[option]
		is, found := valueOf(text, line)
		if !found {
			continue
		}
		value, ok := asDeclared(is, line.As)
		if !ok {
			continue
		}
		// A line that is as it was declares nothing new.
		if was, known := valueOf(a.Declared.Files[f.Path].Text, line); known && was == is {
			continue
		}
		a.change(edit.Set(strings.Split(option, "."), value))
		changed = true
	}
	if changed && d.Type == tree.Regular.String() {
		a.want(f, f.Path, text)
	}
	return changed
}

// valueOf finds the first line that stands for an option, and its value.
func valueOf(text string, of machine.AdoptedLine) (value string, ok bool) {
	expression, err := regexp.Compile("^(?:" + of.Line + ")$")
	if err != nil || expression.NumSubexp() != 1 {
		return "", false
	}
	for line := range strings.Lines(text) {
		if m := expression.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil {
			return m[1], true
		}
	}
	return "", false
}

// asDeclared turns what a line has into what the option takes.
func asDeclared(text, as string) (edit.Value, bool) {
	switch as {
	case machine.AdoptNumber:
		n, ok := number(text).(edit.Int)
		return n, ok
	case machine.AdoptYesNo:
		return edit.Bool(text == "yes"), text == "yes" || text == "no"
	}
	return edit.String(text), true
}
