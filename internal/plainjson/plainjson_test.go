package plainjson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func seeds() []string {
	return []string{
		`{}`, ` { "a" : [ 1 , -2.5e+3, true, false, null, "x", {} , [] ] } `, `{"a":1,"a":2}`,
		`{"a":"\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00\ud83d\ud83dx\ude00é` + "\xff" + `"}`,
		`{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`, `{"a":"\x"}`, `{"a":"\u00g0"}`, `{"a":"\u000`, `{"a":"` + "\n" + `"}`,
		`{"a" 1}`, `{"a":1,}`, `{,}`, `{"a":[1,]}`, `{"a":[1 2]}`, `{"a":tru}`, `{"a":1}x`, "{}\x00", `[]`, `"a"`, ``, `{`, `{"a":"b`,
		`{"a":"\u004a\u004A\uD83D\uDE00"}`, "{\"a\":\"\x7f\"}",
		`{"format":1,"machine":"m","images":{"usr":"d"},"persist":["/etc/a"],"users":{"u":["password"]}}`,
	}
}

// FuzzRead holds the reader against encoding/json: it takes the same texts, and
// understands the same by them.
func FuzzRead(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		object, err := Read(text)
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber()
		var want map[string]any
		wrong := json.Unmarshal(text, new(any))
		if wrong == nil {
			wrong = decoder.Decode(&want)
		}
		if wrong == nil && want == nil { // null
			if err == nil {
				t.Fatalf("%q is taken for an object", text)
			}
			return
		}
		if (err == nil) != (wrong == nil) {
			if err != nil && strings.Contains(err.Error(), "too deep") {
				return
			}
			t.Fatalf("%q: %v, and encoding/json says %v", text, err, wrong)
		}
		if err == nil && !reflect.DeepEqual(plain(object), any(want)) {
			t.Fatalf("%q: %#v, and encoding/json has %#v", text, object, want)
		}
	})
}

// plain makes of a value what encoding/json has for it.
func plain(value any) any {
	switch value := value.(type) {
	case Object:
		all := map[string]any{}
		for name, one := range value {
			all[name] = plain(one)
		}
		return all
	case []any:
		all := []any{}
		for _, one := range value {
			all = append(all, plain(one))
		}
		return all
	case Number:
		return json.Number(value)
	}
	return value
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		`{"a":1`:                            "JSON, byte 6: neither comma nor end of the object",
		`{"a":1} 2`:                         "JSON, byte 8: something follows the end",
		`[1]`:                               "JSON: it is no object",
		strings.Repeat(`{"a":`, mostDeep+2): "JSON, byte 505: too deep",
	} {
		if _, err := Read([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.20s: %v, want %s", text, err, want)
		}
	}
}

func TestMembersHaveTypes(t *testing.T) {
	o, err := Read([]byte(`{"text":"a","number":7,"all":["b","c"],"inner":{"x":"y"},"half":0.5,"odd":{"x":1},"mixed":["a",1],"no":null}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := o.String("text")
	check(t, text, "a", err)
	number, err := o.Int("number")
	check(t, number, int64(7), err)
	all, err := o.Strings("all")
	check(t, all, []string{"b", "c"}, err)
	inner, err := o.Object("inner")
	check(t, inner, Object{"x": "y"}, err)
	texts, err := o.StringMap("inner")
	check(t, texts, map[string]string{"x": "y"}, err)
	for _, absent := range []string{"no", "none"} {
		text, err := o.String(absent)
		check(t, text, "", err)
		number, err := o.Int(absent)
		check(t, number, int64(0), err)
		all, err := o.Strings(absent)
		check(t, all, []string(nil), err)
		inner, err := o.Object(absent)
		check(t, inner, Object(nil), err)
		texts, err := o.StringMap(absent)
		check(t, texts, map[string]string(nil), err)
	}
	_, a := o.String("number")
	_, b := o.Int("text")
	_, c := o.Int("half")
	_, d := o.Strings("text")
	_, e := o.Strings("mixed")
	_, f := o.Object("all")
	_, g := o.StringMap("odd")
	for want, err := range map[string]error{
		"number is no text": a, "text is no whole number": b, "half is no whole number": c,
		"text is no array": d, "mixed has something other than text": e, "all is no object": f, "x is no text": g,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func check(t *testing.T, got, want any, err error) {
	t.Helper()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%#v, %v, want %#v", got, err, want)
	}
}

func TestWrite(t *testing.T) {
	text := Write([]Member{
		{"text", "a\"b\\c\nd\x1fé\xff<"}, {"number", -3}, {"large", int64(1) << 40}, {"all", []string{"x", "y"}},
		{"none", []string{}}, {"inner", map[string]string{"b": "2", "a": "1"}}, {"lists", map[string][]string{"u": {"p", "q"}}},
	})
	const want = `{
  "text": "a\"b\\c\u000ad\u001fé` + "\ufffd" + `<",
  "number": -3,
  "large": 1099511627776,
  "all": ["x", "y"],
  "none": [],
  "inner": {"a": "1", "b": "2"},
  "lists": {"u": ["p", "q"]}
}
`
	if string(text) != want {
		t.Errorf("wrote\n%s\nwant\n%s", text, want)
	}
	if !json.Valid(text) {
		t.Error("it is no JSON")
	}
}

// FuzzQuote holds that whatever is written is read again.
func FuzzQuote(f *testing.F) {
	f.Add("a\"\\\n\x00é\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		o, err := Read(Write([]Member{{"a", s}}))
		if err != nil || o["a"] != strings.ToValidUTF8(s, "\ufffd") && o["a"] != string([]rune(s)) {
			t.Errorf("%q came back as %q, %v", s, o["a"], err)
		}
	})
}
