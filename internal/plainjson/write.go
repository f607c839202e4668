package plainjson

import (
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// A Member is one of an object that is written.
type Member struct {
	Name  string
	Value any // string, int, int64, []string, map[string]string, map[string][]string
}

// Write writes an object, a member on each line, and a newline. It panics when a value is
// of another type, which no input can bring about.
func Write(members []Member) []byte {
	text := []byte{'{'}
	for i, m := range members {
		text = separate(text, i, "\n  ")
		text = append(quote(text, m.Name), ": "...)
		text = write(text, m.Value)
	}
	return append(text, "\n}\n"...)
}

func write(text []byte, value any) []byte {
	switch value := value.(type) {
	case string:
		return quote(text, value)
	case int:
		return strconv.AppendInt(text, int64(value), 10)
	case int64:
		return strconv.AppendInt(text, value, 10)
	case []string:
		text = append(text, '[')
		for i, one := range value {
			text = quote(separate(text, i, ""), one)
		}
		return append(text, ']')
	case map[string]string:
		return object(text, value, quote)
	case map[string][]string:
		return object(text, value, func(text []byte, one []string) []byte { return write(text, one) })
	}
	panic("plainjson: a value that it does not write")
}

// object writes the members sorted by name.
func object[V any](text []byte, members map[string]V, write func([]byte, V) []byte) []byte {
	text = append(text, '{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		text = append(quote(separate(text, i, ""), name), ": "...)
		text = write(text, members[name])
	}
	return append(text, '}')
}

func separate(text []byte, i int, space string) []byte {
	if i > 0 {
		text = append(text, ',')
		if space == "" {
			space = " "
		}
	}
	return append(text, space...)
}

// quote appends a string. What is no UTF-8 becomes U+FFFD.
func quote(text []byte, s string) []byte {
	text = append(text, '"')
	for _, char := range s {
		switch {
		case char == '"' || char == '\\':
			text = append(text, '\\', byte(char))
		case char < ' ':
			const hex = "0123456789abcdef"
			text = append(text, `\u00`...)
			text = append(text, hex[char>>4], hex[char&15])
		default:
			text = utf8.AppendRune(text, char)
		}
	}
	return append(text, '"')
}
