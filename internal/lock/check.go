package lock

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Check says what would keep the text of l from being read back as l: a value
// the format cannot carry, a key that names nothing, a duplicate. Call it on a
// lock that was made rather than parsed, before it is written.
func (l *Lock) Check() error {
	parsed, err := Parse(l.Format())
	if err != nil {
		return fmt.Errorf("check lock: %w", err)
	}
	if !l.equal(parsed) {
		return errors.New("check lock: its text reads back as another lock")
	}
	return nil
}

func (l *Lock) equal(other *Lock) bool {
	return l.Epoch == other.Epoch &&
		slices.EqualFunc(l.Archives, other.Archives, Archive.equal) &&
		slices.Equal(l.Packages, other.Packages) &&
		slices.Equal(l.Tools, other.Tools) &&
		maps.Equal(l.IDs.Users, other.IDs.Users) &&
		maps.Equal(l.IDs.Groups, other.IDs.Groups) &&
		maps.EqualFunc(l.Machines, other.Machines, Machine.equal)
}

func (a Archive) equal(other Archive) bool {
	return a.ID == other.ID && a.Name == other.Name && a.Suite == other.Suite && a.Repository == other.Repository &&
		slices.Equal(a.Components, other.Components) &&
		slices.Equal(a.Architectures, other.Architectures) &&
		a.Date.Equal(other.Date) && a.Snapshot.Equal(other.Snapshot) && a.SHA256 == other.SHA256 &&
		slices.Equal(a.Signers, other.Signers) && slices.Equal(a.Keys, other.Keys)
}

func (m Machine) equal(other Machine) bool {
	return m.Wishes == other.Wishes && m.Result == other.Result && slices.Equal(m.Packages, other.Packages)
}

// The values a field of the text may have. Each gives what is wrong with a
// value, or nothing.

func wrongName(text string) string {
	if text == "" {
		return "is empty"
	}
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && c != '_' && (i == 0 || c != '-' && c != '+' && c != '.') {
			return fmt.Sprintf("has %q", c)
		}
	}
	return ""
}

// wrongUser is as wide as useradd's --badname and Samba's machine accounts:
// anything passwd(5) could hold without breaking our lines.
func wrongUser(text string) string {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == ':' || c == '/' || c == '#' && i == 0 {
			return fmt.Sprintf("has %q", c)
		}
	}
	if text == "" {
		return "is empty"
	}
	return ""
}

func wrongVersion(text string) string {
	if text == "" {
		return "is empty"
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '.' || c == '+' || c == '~' || c == ':' || c == '-'):
		default:
			return fmt.Sprintf("has %q", c)
		}
	}
	return ""
}

func wrongDigest(text string) string {
	if len(text) != 64 {
		return fmt.Sprintf("has %d characters, want 64 hexadecimal digits", len(text))
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Sprintf("has %q, want lower-case hexadecimal digits", c)
		}
	}
	return ""
}

func wrongFingerprint(text string) string {
	if len(text) != 40 && len(text) != 64 {
		return fmt.Sprintf("has %d characters, want 40 or 64 hexadecimal digits", len(text))
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return fmt.Sprintf("has %q, want upper-case hexadecimal digits", c)
		}
	}
	return ""
}

// wrongSuite allows what [wrongPath] does, and the suites of flat repositories,
// which end in "/": "/" and "./" are the root itself.
func wrongSuite(text string) string {
	flat, isFlat := strings.CutSuffix(text, "/")
	if isFlat && (flat == "" || flat == ".") {
		return ""
	}
	return wrongPath(strings.TrimPrefix(flat, "./"))
}

// wrongPath allows several path elements ("stable/updates"), each a name, so
// that no suite and no pool path leads out of an archive.
func wrongPath(text string) string {
	start := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && text[i] != '/' {
			continue
		}
		switch element := text[start:i]; element {
		case "":
			return "has an empty path element"
		case ".", "..":
			return "leads out of the archive"
		default:
			for j := range len(element) {
				if c := element[j]; c <= ' ' || c >= 0x7f || c == '\\' {
					return fmt.Sprintf("has %q", c)
				}
			}
		}
		start = i + 1
	}
	return ""
}
