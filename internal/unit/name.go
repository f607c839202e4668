package unit

import "strings"

// FileName is the name of the file a unit comes from: a template for an
// instance ("getty@tty1.service" is in "getty@.service").
func FileName(name string) string {
	prefix, rest, ok := strings.Cut(name, "@")
	if !ok {
		return name
	}
	if dot := strings.LastIndexByte(rest, '.'); dot >= 0 {
		return prefix + "@" + rest[dot:]
	}
	return name
}

// Type is what a unit's name ends in, without the dot: "service".
func Type(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// Instance is what stands between "@" and the type; empty for a template and
// for a unit that is not of one.
func Instance(name string) string {
	_, rest, ok := strings.Cut(name, "@")
	if dot := strings.LastIndexByte(rest, '.'); ok && dot >= 0 {
		return rest[:dot]
	}
	return ""
}

// prefix is what stands before "@", or before the type.
func prefix(name string) string {
	before, _, _ := strings.Cut(name, "@")
	return strings.TrimSuffix(before, "."+Type(name))
}

// fill puts a unit's name into the specifiers that dependencies are written
// with (systemd.unit(5), "SPECIFIERS").
func fill(text, name string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	instance := Instance(name)
	return strings.NewReplacer("%%", "%",
		"%n", name, "%N", strings.TrimSuffix(name, "."+Type(name)), "%p", prefix(name), "%P", unescape(prefix(name)),
		"%i", instance, "%I", unescape(instance)).Replace(text)
}

// Escape turns a path into the name of the unit that is about it, without the
// type (systemd.unit(5), "STRING ESCAPING FOR INCLUSION IN UNIT NAMES").
func Escape(name string) string {
	name = strings.Trim(name, "/")
	if name == "" {
		return "-"
	}
	var out strings.Builder
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/':
			if name[i-1] != '/' {
				out.WriteByte('-')
			}
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ':', c == '_', c == '.' && i > 0:
			out.WriteByte(c)
		default:
			out.WriteString(`\x` + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return out.String()
}

const hex = "0123456789abcdef"

func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '-':
			out.WriteByte('/')
		case strings.HasPrefix(text[i:], `\x`) && i+3 < len(text):
			high, low := strings.IndexByte(hex, text[i+2]), strings.IndexByte(hex, text[i+3])
			if high < 0 || low < 0 {
				out.WriteByte(text[i])
				continue
			}
			out.WriteByte(byte(high<<4 | low))
			i += 3
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}
