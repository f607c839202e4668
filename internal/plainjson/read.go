package plainjson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// An Object is a JSON object. Its values are string, Number, bool, nil, []any and Object.
// Of several members of one name the last one counts.
type Object map[string]any

// A Number is the text of a JSON number.
type Number string

// mostDeep is how deep objects and arrays may lie in one another: none of ours is as deep.
const mostDeep = 100

// Read reads the one object that text is.
func Read(text []byte) (Object, error) {
	r := reader{text: text}
	value, err := r.value(0)
	if err == nil && r.next() != end {
		err = errors.New("something follows the end")
	}
	if err != nil {
		return nil, fmt.Errorf("JSON, byte %d: %w", r.at, err)
	}
	object, ok := value.(Object)
	if !ok {
		return nil, errors.New("JSON: it is no object")
	}
	return object, nil
}

// String gives a member that is text; "" when there is none.
func (o Object) String(name string) (string, error) {
	value, ok := o[name].(string)
	if !ok && o[name] != nil {
		return "", fmt.Errorf("%s is no text", name)
	}
	return value, nil
}

// Int gives a member that is a whole number; 0 when there is none.
func (o Object) Int(name string) (int64, error) {
	if o[name] == nil {
		return 0, nil
	}
	number, _ := o[name].(Number)
	value, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is no whole number", name)
	}
	return value, nil
}

// Object gives a member that is an object; nil when there is none.
func (o Object) Object(name string) (Object, error) {
	value, ok := o[name].(Object)
	if !ok && o[name] != nil {
		return nil, fmt.Errorf("%s is no object", name)
	}
	return value, nil
}

// StringMap gives a member that is an object with nothing but text; nil when there is none.
func (o Object) StringMap(name string) (map[string]string, error) {
	object, err := o.Object(name)
	if err != nil || object == nil {
		return nil, err
	}
	all := map[string]string{}
	for name := range object {
		if all[name], err = object.String(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Strings gives a member that is an array of text; nil when there is none.
func (o Object) Strings(name string) ([]string, error) {
	array, ok := o[name].([]any)
	if !ok && o[name] != nil {
		return nil, fmt.Errorf("%s is no array", name)
	}
	var all []string
	for _, one := range array {
		text, ok := one.(string)
		if !ok {
			return nil, fmt.Errorf("%s has something other than text", name)
		}
		all = append(all, text)
	}
	return all, nil
}

// end is what next gives at the end: a byte that no JSON has outside of a string.
const end = 0

type reader struct {
	text []byte
	at   int
}

// next skips space and looks at the byte that follows.
func (r *reader) next() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return max(c, end+1) // a NUL is not the end
		}
	}
	return end
}

// take takes c, when that is what follows.
func (r *reader) take(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) value(depth int) (any, error) {
	if depth > mostDeep {
		return nil, errors.New("too deep")
	}
	switch c := r.next(); {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"':
		return r.quoted()
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	}
	for word, value := range map[string]any{"true": true, "false": false, "null": nil} {
		if bytes.HasPrefix(r.text[r.at:], []byte(word)) {
			r.at += len(word)
			return value, nil
		}
	}
	return nil, errors.New("no value")
}

func (r *reader) object(depth int) (Object, error) {
	r.at++
	object := Object{}
	if r.take('}') {
		return object, nil
	}
	for {
		if r.next() != '"' {
			return nil, errors.New("no name of a member")
		}
		name, err := r.quoted()
		if err != nil {
			return nil, err
		}
		if !r.take(':') {
			return nil, errors.New("no colon after the name of a member")
		}
		if object[name], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		if r.take('}') {
			return object, nil
		}
		if !r.take(',') {
			return nil, errors.New("neither comma nor end of the object")
		}
	}
}

func (r *reader) array(depth int) ([]any, error) {
	r.at++
	array := []any{}
	if r.take(']') {
		return array, nil
	}
	for {
		value, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
		if r.take(']') {
			return array, nil
		}
		if !r.take(',') {
			return nil, errors.New("neither comma nor end of the array")
		}
	}
}

// number takes what looks like a number by its characters, and then its form.
func (r *reader) number() (Number, error) {
	from := r.at
	digits := func() int {
		begin := r.at
		for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
			r.at++
		}
		return r.at - begin
	}
	is := func(chars string) bool {
		if r.at < len(r.text) && strings.IndexByte(chars, r.text[r.at]) >= 0 {
			r.at++
			return true
		}
		return false
	}
	wrong := errors.New("no number")
	is("-")
	if !is("0") && digits() == 0 {
		return "", wrong
	}
	if is(".") && digits() == 0 {
		return "", wrong
	}
	if is("eE") {
		is("+-")
		if digits() == 0 {
			return "", wrong
		}
	}
	return Number(r.text[from:r.at]), nil
}

// quoted takes a string. What is no UTF-8, and half of a surrogate pair, becomes U+FFFD,
// as encoding/json has it.
func (r *reader) quoted() (string, error) {
	var text strings.Builder
	for r.at++; r.at < len(r.text); {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return text.String(), nil
		case c < ' ':
			return "", errors.New("a control character in a string")
		case c == '\\':
			char, err := r.escaped()
			if err != nil {
				return "", err
			}
			text.WriteRune(char)
		default:
			char, size := utf8.DecodeRune(r.text[r.at:])
			text.WriteRune(char)
			r.at += size
		}
	}
	return "", errors.New("a string without end")
}

// letters are those of the escapes of two characters, and escapes, in the same order,
// what they stand for.
const letters, escapes = `"\/bfnrt`, "\"\\/\b\f\n\r\t"

func (r *reader) escaped() (rune, error) {
	if unit, ok := r.unit(); ok {
		if !utf16.IsSurrogate(unit) {
			return unit, nil
		}
		before := r.at
		low, _ := r.unit()
		pair := utf16.DecodeRune(unit, low)
		if pair == utf8.RuneError {
			r.at = before
		}
		return pair, nil
	}
	if r.at+1 < len(r.text) {
		if i := strings.IndexByte(letters, r.text[r.at+1]); i >= 0 {
			r.at += 2
			return rune(escapes[i]), nil
		}
	}
	return 0, errors.New("no such escape in a string")
}

// unit takes a code unit of UTF-16, as \u and four digits.
func (r *reader) unit() (rune, bool) {
	const size = len(`\u0000`)
	if r.at+size > len(r.text) || r.text[r.at] != '\\' || r.text[r.at+1] != 'u' {
		return 0, false
	}
	var unit rune
	for _, c := range r.text[r.at+2 : r.at+size] {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, false
		}
		unit = unit<<4 | rune(digit)
	}
	r.at += size
	return unit, true
}
