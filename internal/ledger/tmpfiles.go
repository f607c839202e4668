package ledger

import (
	"path"
	"strconv"
	"strings"
)

// tmpfilesKinds are the types of lines in tmpfiles.d(5) that make a path, or clean
// it up. The others give attributes to what somebody else made.
const tmpfilesKinds = "fFdDevqQpLcbCxXrR"

// tmpfilesSpecifiers are those of tmpfiles.d(5), "SPECIFIERS", with the values that
// the system's manager gives them. Others are the machine's, and stand for anything.
var tmpfilesSpecifiers = map[byte]string{
	'%': "%", 'C': "/var/cache", 'S': "/var/lib", 'L': "/var/log", 'T': "/tmp", 'V': "/var/tmp", 't': "/run",
	'h': "/root", 'u': "root", 'g': "root", 'U': "0", 'G': "0",
}

// tmpfiles gives the paths, or patterns of path.Match, that a file of tmpfiles.d(5)
// makes or cleans up. As systemd-tmpfiles does, it passes over what it cannot read.
func tmpfiles(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		kind, rest := word(line)
		if kind == "" || !strings.Contains(tmpfilesKinds, kind[:1]) {
			continue
		}
		name, _ := word(rest)
		if name = fill(name, tmpfilesSpecifiers); path.IsAbs(name) {
			all = append(all, path.Clean(name))
		}
	}
	return all
}

// word takes the first word off a line, without its quotes and escapes.
func word(line string) (first, rest string) {
	line = strings.TrimLeft(line, " \t")
	var out strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && i+1 < len(line):
			i++
			if line[i] == 'x' && i+2 < len(line) {
				if b, err := strconv.ParseUint(line[i+1:i+3], 16, 8); err == nil {
					out.WriteByte(byte(b))
					i += 2
					continue
				}
			}
			out.WriteByte(line[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (c == ' ' || c == '\t'):
			return out.String(), line[i:]
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), ""
}

// fill puts values into specifiers. What only the machine knows becomes "*".
func fill(text string, values map[byte]string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		if value, ok := values[text[i]]; ok {
			out.WriteString(value)
		} else {
			out.WriteByte('*')
		}
	}
	return out.String()
}

// isPattern reports whether a path stands for others.
func isPattern(name string) bool { return strings.ContainsAny(name, `*?[`) }
