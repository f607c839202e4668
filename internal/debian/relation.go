package debian

import (
	"fmt"
	"strings"
)

// ParseRelations parses the value of Depends, Conflicts, Provides and their
// like (deb-control(5), deb-src-control(5)): "a (>= 1) | b:any, c [amd64]".
// White space of any kind, also line ends, may stand between the parts, and
// commas may stand before, after and next to each other. The obsolete
// operators "<" and ">" become "<=" and ">=", which is what dpkg takes them for.
func ParseRelations(text string) (Relations, error) {
	return new(interner).parseRelations(text)
}

// String writes the list as ParseRelations reads it, on one line.
func (rs Relations) String() string {
	parts := make([]string, len(rs))
	for i, a := range rs {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}

// String writes the alternatives as ParseRelations reads them.
func (as Alternatives) String() string {
	parts := make([]string, len(as))
	for i, r := range as {
		parts[i] = r.String()
	}
	return strings.Join(parts, " | ")
}

// String writes the relation as ParseRelations reads it.
func (r Relation) String() string {
	s := r.Name
	if r.Arch != "" {
		s += ":" + r.Arch
	}
	if r.Op != "" {
		s += " (" + r.Op + " " + r.Version + ")"
	}
	if r.Architectures != "" {
		s += " [" + r.Architectures + "]"
	}
	if r.Profiles != "" {
		s += " " + r.Profiles
	}
	return s
}

// Satisfied reports whether a package, or a versioned Provides, of the given
// version satisfies the relation's operator. It looks at neither name nor
// architecture. The empty version stands for a Provides without version,
// which satisfies only a relation without one (Debian Policy 7.5).
func (r Relation) Satisfied(version string) bool {
	if r.Op == "" {
		return true
	}
	if version == "" {
		return false
	}
	c := CompareVersions(version, r.Version)
	switch r.Op {
	case "<<":
		return c < 0
	case "<=":
		return c <= 0
	case "=":
		return c == 0
	case ">=":
		return c >= 0
	case ">>":
		return c > 0
	default:
		return false
	}
}

// ValidPackageName reports whether dpkg takes name for a package name: letters,
// digits and "-+._", beginning with a letter or digit. Debian itself is
// stricter (lower case, no underscore); packages of others are not.
func ValidPackageName(name string) bool {
	if name == "" || !isDigit(name[0]) && !isLetter(name[0]) {
		return false
	}
	for i := 1; i < len(name); i++ {
		if c := name[i]; !isDigit(c) && !isLetter(c) && c != '-' && c != '+' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

// ValidArchitecture reports whether name can be the name of an architecture:
// letters, digits and hyphens, beginning with a letter or digit.
func ValidArchitecture(name string) bool {
	if name == "" || name[0] == '-' {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isDigit(c) && !isLetter(c) && c != '-' {
			return false
		}
	}
	return true
}

// parseRelation parses one relation, without the "|" and "," around it.
func parseRelation(text string) (Relation, error) {
	fault := func(what string) (Relation, error) {
		return Relation{}, fmt.Errorf("relation %.80q: %s", text, what)
	}
	var r Relation
	rest := trimSpace(text)
	r.Name, rest = cutName(rest)
	if !ValidPackageName(r.Name) {
		return fault("no package name at its begin")
	}
	if strings.HasPrefix(rest, ":") {
		r.Arch, rest = cutName(rest[1:])
		if !ValidArchitecture(r.Arch) {
			return fault("no architecture after the colon")
		}
	}
	rest = trimSpace(rest)
	if strings.HasPrefix(rest, "(") {
		inner, after, ok := strings.Cut(rest[1:], ")")
		if !ok {
			return fault("the parenthesis does not end")
		}
		inner = trimSpace(inner)
		n := 0
		for n < len(inner) && (inner[n] == '<' || inner[n] == '=' || inner[n] == '>') {
			n++
		}
		switch inner[:n] {
		case "<<", "<=", "=", ">=", ">>":
			r.Op = inner[:n]
		case "<":
			r.Op = "<="
		case ">":
			r.Op = ">="
		case "":
			r.Op = "=" // dpkg reads "(1.0)" so
		default:
			return fault("unknown operator")
		}
		r.Version = trimSpace(inner[n:])
		// dpkg only warns about a version that begins with a letter.
		if err := versionFault(r.Version); err != nil && err != errUpstreamStart {
			return fault("version " + err.Error())
		}
		rest = trimSpace(after)
	}
	if strings.HasPrefix(rest, "[") {
		inner, after, ok := strings.Cut(rest[1:], "]")
		words := strings.Fields(inner)
		if !ok || len(words) == 0 {
			return fault("the architectures in brackets are empty or do not end")
		}
		for _, w := range words {
			if !ValidArchitecture(strings.TrimPrefix(w, "!")) {
				return fault("not an architecture in brackets")
			}
		}
		r.Architectures, rest = strings.Join(words, " "), trimSpace(after)
	}
	for strings.HasPrefix(rest, "<") {
		inner, after, ok := strings.Cut(rest[1:], ">")
		words := strings.Fields(inner)
		if !ok || len(words) == 0 {
			return fault("the build profiles are empty or do not end")
		}
		for _, w := range words {
			if !ValidPackageName(strings.TrimPrefix(w, "!")) {
				return fault("not a build profile")
			}
		}
		if r.Profiles != "" {
			r.Profiles += " "
		}
		r.Profiles += "<" + strings.Join(words, " ") + ">"
		rest = trimSpace(after)
	}
	if rest != "" {
		return fault(fmt.Sprintf("unexpected %.40q", rest))
	}
	return r, nil
}

// cutName splits s where the name at its begin ends.
func cutName(s string) (name, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ', '\t', '\r', '\n', ':', '(', '[', '<':
			return s[:i], s[i:]
		}
	}
	return s, ""
}

func trimSpace(s string) string {
	for s != "" && (s[0] == '\n' || s[0] == ' ' || s[0] == '\t' || s[0] == '\r') {
		s = s[1:]
	}
	return trimRight(s)
}
