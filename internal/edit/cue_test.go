package edit

import (
	"testing"

	"cuelang.org/go/cue/format"
)

// runCUE also holds that what was formatted still is.
func runCUE(t *testing.T, examples []example) {
	t.Helper()
	run(t, CUE, "machines.cue", examples)
	for _, e := range examples {
		isFormatted := func(text string) bool {
			tidy, err := format.Source([]byte(text))
			return err == nil && string(tidy) == text
		}
		if isFormatted(e.before) && !isFormatted(e.after) {
			t.Errorf("%s: this is not formatted any more:\n%s", e.name, e.after)
		}
	}
}

func TestCUESets(t *testing.T) {
	runCUE(t, []example{
		{"a scalar, and nothing behind it", "package stet\n\nmachines: web: {\n\tbase: \"minimal\" // small\n}\n", Set(at("machines web base"), String("standard")),
			"package stet\n\nmachines: web: {\n\tbase: \"standard\" // small\n}\n"},
		{"in short-hand", "machines: web: services: ssh: port: 22 // there\n", Set(at("machines web services ssh port"), Int(-2222)), "machines: web: services: ssh: port: -2222 // there\n"},
		{"in one line", "a: {b: 1, c: true}\n", Set(at("a c"), Bool(false)), "a: {b: 1, c: false}\n"},
		{"in the place of null", "a: b: null\n", Set(at("a b c"), Int(1)), "a: b: c: 1\n"},
		{"in the place of {}", "a: b: {}\n", Set(at("a b c"), Int(1)), "a: b: {c: 1}\n"},
		{"in the place of {} over lines", "a: b: {\n\t// nothing\n}\n", Set(at("a b c"), Int(1)), "a: b: {\n\t// nothing\n\tc: 1\n}\n"},
		{"what is there already", "a: 0x10\nb:   #\"x\"#\n", Set(at("b"), String("x")), "a: 0x10\nb:   #\"x\"#\n"},
		{"a new key, aligned", "a: {\n\tb:  1\n\tcd: 2\n\t// all\n}\n", Set(at("a efg"), Int(1)), "a: {\n\tb:   1\n\tcd:  2\n\tefg: 1\n\t// all\n}\n"},
		{"a new key where nothing is aligned", "a: {\n    b: 1\n    cd: 2 // two\n}\n", Set(at("a efg h"), Int(1)), "a: {\n    b: 1\n    cd: 2 // two\n    efg: h: 1\n}\n"},
		{"a new key in one line", "a: {b: 1}\n", Set(at("a c d"), Int(1)), "a: {b: 1, c: d: 1}\n"},
		{"a new key in short-hand of one line", "a: b: 1 // one\n", Set(at("a c"), Int(1)), "a: {b: 1, c: 1} // one\n"},
		{"a new key beside short-hand", "machines: web: files: \"/etc/motd\": {\n\ttext: \"x\"\n}\n\n// b\nb: 1\n", Set(at("machines web base"), String("minimal")),
			"machines: web: files: \"/etc/motd\": {\n\ttext: \"x\"\n}\nmachines: web: base: \"minimal\"\n\n// b\nb: 1\n"},
		{"a new key beside short-hand in braces", "machines: {\n\tweb: files: a: b: 1\n\n\tmail: {}\n}\n", Set(at("machines web base"), String("minimal")),
			"machines: {\n\tweb: files: a: b: 1\n\tweb: base: \"minimal\"\n\n\tmail: {}\n}\n"},
		{"a new key of the file", "package stet\n\n// one\na: 1 // a\n", Set(at("b"), Int(2)), "package stet\n\n// one\na: 1 // a\n\nb: 2\n"},
		{"a new key of a file without a newline", "package stet\na: 1", Set(at("b"), Int(2)), "package stet\na: 1\n\nb: 2"},
		{"a new key of an empty file", "", Set(at("b"), Int(2)), "b: 2\n"},
		{"a new key of an empty package", "// x\npackage stet\n", Set(at("machines web-1 a"), Int(2)), "// x\npackage stet\n\nmachines: \"web-1\": a: 2\n"},
		{"keys that need quotes", "a: {\n}\n", Set([]string{"a", "on", "/etc/motd", "net.ipv4.ip_forward", "été", "_x", "true", "a\nb", ""}, Int(1)),
			"a: {on: \"/etc/motd\": \"net.ipv4.ip_forward\": été: \"_x\": \"true\": \"a\\nb\": \"\": 1}\n"},
		{"in the struct that has the key", "a: b: 1\na: {c: 1}\na: d: 1\n", Set(at("a c"), Int(2)), "a: b: 1\na: {c: 2}\na: d: 1\n"},
		{"in the first struct, when none has it", "a: {b: 1}\na: {c: 1}\n", Set(at("a d"), Int(2)), "a: {b: 1, d: 2}\na: {c: 1}\n"},
		{"before what is open", "a: {\n\tb: 1\n\t...\n}\n", Set(at("a d"), Int(2)), "a: {\n\tb: 1\n\td: 2\n\t...\n}\n"},
		{"a name that is referred to", "import \"x.org/keys\"\n\nmachines: web: {\n\tssh_keys: keys.#Ada\n}\n", Set(at("machines web keys"), Int(2)),
			"import \"x.org/keys\"\n\nmachines: web: {\n\tssh_keys: keys.#Ada\n\t\"keys\":   2\n}\n"},
		{"beside a role", "machines: {\n\tweb:  _web // one\n\tmail: _web & _mail & {\n\t\ta: 1\n\t}\n}\n", Set(at("machines web b c"), Int(2)),
			"machines: {\n\tweb:  _web & {b: c: 2} // one\n\tmail: _web & _mail & {\n\t\ta: 1\n\t}\n}\n"},
		{"in what is joined to roles", "mail: _web & _mail & {\n\ta: 1\n}\n", Set(at("mail b"), Int(2)), "mail: _web & _mail & {\n\ta: 1\n\tb: 2\n}\n"},
		{"another value in what is joined to a role", "b: keys.#Ada & {c: 1, d: 3}\n", Set(at("b c"), Int(2)), "b: keys.#Ada & {c: 2, d: 3}\n"},
		{"much beside a role", "a: _b\n", Set(at("a c"), String("one\ntwo\n")), "a: _b & {\n\tc: \"\"\"\n\t\tone\n\t\ttwo\n\n\t\t\"\"\"\n}\n"},
		{"beside a loop for others", "for n in [1] {\n\tmachines: \"n\\(n)\": {}\n}\nmachines: web: {}\n", Set(at("machines web a"), Int(2)), "for n in [1] {\n\tmachines: \"n\\(n)\": {}\n}\nmachines: web: {a: 2}\n"},
	})
}

func TestCUEMapsAndTexts(t *testing.T) {
	file := Map{{"/etc/motd", Map{{"text", String("hi\n\n\tthere\n")}, {"mode", String("0600")}}}}
	runCUE(t, []example{
		{"a new map", "machines: web: {\n\tbase: \"minimal\"\n}\n", Set(at("machines web files"), file),
			"machines: web: {\n\tbase: \"minimal\"\n\tfiles: \"/etc/motd\": {\n\t\ttext: \"\"\"\n\t\t\thi\n\n\t\t\t\tthere\n\n\t\t\t\"\"\"\n\t\tmode: \"0600\"\n\t}\n}\n"},
		{"in {}", "machines: web: files: {} // none\n", Set(at("machines web files"), file),
			"machines: web: files: {\n\t\"/etc/motd\": {\n\t\ttext: \"\"\"\n\t\t\thi\n\n\t\t\t\tthere\n\n\t\t\t\"\"\"\n\t\tmode: \"0600\"\n\t}\n} // none\n"},
		{"merged", "files: {\"/etc/motd\": {mode: \"0644\", user: \"ada\"}}\n", Set(at("files"), file), "files: {\"/etc/motd\": {mode: \"0600\", user: \"ada\", text: \"hi\\n\\n\\tthere\\n\"}}\n"},
		{"like the one beside it", "users: {\n\tada: {uid: 1, system: true}\n}\n", Set(at("users bob"), Map{{"uid", Int(2)}, {"system", Bool(true)}}),
			"users: {\n\tada: {uid: 1, system: true}\n\tbob: {uid: 2, system: true}\n}\n"},
		{"a text of several lines", "a: b: \"x\" // y\n", Set(at("a b"), String("x\ny\n")), "a: b: \"\"\"\n\tx\n\ty\n\n\t\"\"\" // y\n"},
		{"another text of several lines", "a: {mode: \"0755\", b: \"\"\"\n\tx\n\n\t\"\"\"}\n", Set(at("a b"), String("x\\\ny")), "a: {mode: \"0755\", b: #\"\"\"\n\tx\\\n\ty\n\t\"\"\"#}\n"},
		{"a text of several lines where CUE takes none", "a: b: \"x\"\r\n", Set(at("a b"), String("x\ny\n")), "a: b: \"x\\ny\\n\"\r\n"},
		{"a text with quotes", "a: \"x\"\n", Set(at("a"), String(`echo "x" \n`)), "a: #\"echo \"x\" \\n\"#\n"},
		{"a text with what is escaped", "a: \"x\"\n", Set(at("a"), String("\x1b\\(a)\"\"\"#")), "a: \"\\u001b\\\\(a)\\\"\\\"\\\"#\"\n"},
	})
}

func TestCUEMembers(t *testing.T) {
	runCUE(t, []example{
		{"of a set", "machines: web: packages: {curl: {}, htop: {}}\n", Add(at("machines web packages"), "git"), "machines: web: packages: {curl: {}, htop: {}, git: {}}\n"},
		{"of a set of one", "machines: web: packages: curl: {}\n", Add(at("machines web packages"), "g++"), "machines: web: packages: {curl: {}, \"g++\": {}}\n"},
		{"of a set of lines", "packages: {\n\tcurl: {} // c\n\n\t// d\n\thtop: hold: true\n}\n", Add(at("packages"), "git"), "packages: {\n\tcurl: {} // c\n\n\t// d\n\thtop: hold: true\n\tgit: {}\n}\n"},
		{"of a new set", "machines: web: {}\n", Add(at("machines web packages"), "git"), "machines: web: {packages: git: {}}\n"},
		{"of a list", "a: [\"b\"]\n", Add(at("a"), "c"), "a: [\"b\", \"c\"]\n"},
		{"of a list of lines", "a: [\n\t\"b\", // b\n]\n", Add(at("a"), "c"), "a: [\n\t\"b\", // b\n\t\"c\",\n]\n"},
		{"that are there", "packages: curl: hold: true\n", Add(at("packages"), "curl"), "packages: curl: hold: true\n"},
		{"dropped", "packages: {curl: {}, htop: {}}\n", Drop(at("packages"), "curl"), "packages: {htop: {}}\n"},
		{"dropped, so that none is left", "packages: {curl: {}} // p\n", Drop(at("packages"), "curl"), "packages: {} // p\n"},
		{"dropped from short-hand", "packages: curl: hold: true\nb: 1\n", Drop(at("packages"), "curl"), "packages: {}\nb: 1\n"},
		{"dropped from a list", "a: [\"b\", \"c\"]\n", Drop(at("a"), "c"), "a: [\"b\"]\n"},
		{"dropped that are not there", "packages: curl: {}\n", Drop(at("packages"), "git"), "packages: curl: {}\n"},
	})
}

func TestCUERemoves(t *testing.T) {
	runCUE(t, []example{
		{"an entry with its comments", "a: {\n\tb: 1\n\n\t// one\n\n\t// two\n\tccc: 2 // c\n\td:   3\n}\n", Remove(at("a ccc")), "a: {\n\tb: 1\n\n\t// one\n\n\td: 3\n}\n"},
		{"the last of lines", "a: {\n\tb: 1\n}\n", Remove(at("a b")), "a: {}\n"},
		{"the last of lines, but a comment", "a: {\n\t// c\n\n\tb: 1\n}\n", Remove(at("a b")), "a: {\n\t// c\n}\n"},
		{"from short-hand", "a: b: c: 1\n", Remove(at("a b")), "a: {}\n"},
		{"from the file", "a: 1\n\n// b\nb: {\n\tx: 1\n}\n", Remove(at("b")), "a: 1\n"},
		{"from all places", "a: {b: 1, c: 1}\na: b: 1\n", Remove(at("a b")), "a: {c: 1}\na: {}\n"},
		{"what is not there", "a: 1\n", Remove(at("b")), "a: 1\n"},
	})
}

func TestCUERefuses(t *testing.T) {
	for _, e := range []struct {
		name, before string
		change       Change
		want         string
	}{
		{"a value in the place of a reference", "_a: 1\nb: _a\n", Set(at("b"), Int(1)), "machines.cue:2:4: b: found a reference where a plain value is expected: edit it by hand"},
		{"a default", "b: *1 | int\n", Set(at("b"), Int(2)), "machines.cue:1:4: b: found an expression where a plain value is expected: edit it by hand"},
		{"a constraint", "b: >1\n", Remove(at("b")), "machines.cue:1:4: b: found an expression where a plain value is expected: edit it by hand"},
		{"an interpolation", "b: \"\\(a)\"\n", Set(at("b"), Int(2)), "machines.cue:1:4: b: found an expression where a plain value is expected: edit it by hand"},
		{"an optional field", "b?: 1\n", Set(at("b"), Int(2)), "machines.cue:1:1: b: this may bring the entry, or say what it may be: edit it by hand"},
		{"a comprehension", "b: {\n\tif true {c: 1}\n}\n", Set(at("b c"), Int(2)), "machines.cue:2:2: b.c: this may bring the entry, or say what it may be: edit it by hand"},
		{"a computed name", "b: {\n\t(x): 1\n}\n", Remove(at("b c")), "machines.cue:2:2: b.c: this may bring the entry: edit it by hand"},
		{"a key in two places", "b: c: 1\nb: {c: 1}\n", Set(at("b c"), Int(2)), "machines.cue:2:5: b.c: the key is written in more than one place: edit it by hand"},
		{"a value on the way", "b: 1\n", Set(at("b c"), Int(2)), "machines.cue:1:4: b.c: found a value where a map is expected: edit it by hand"},
		{"a list on the way", "b: [1]\n", Set(at("b c"), Int(2)), "machines.cue:1:4: b.c: found a list where a plain value is expected: edit it by hand"},
		{"a map in the place of a value", "b: {c: 1}\n", Set(at("b"), Int(2)), "machines.cue:1:4: b: found a map where one value is expected: edit it by hand"},
		{"no CUE", "b: {\n", Set(at("b"), Int(2)), "machines.cue:2:1: not CUE: expected '}', found 'EOF': mend it by hand"},
	} {
		t.Run(e.name, func(t *testing.T) {
			got, err := CUE("machines.cue", []byte(e.before), e.change)
			if err == nil {
				t.Fatalf("it became\n%s", got)
			}
			if got != nil || err.Error() != e.want {
				t.Errorf("%s%v\nwant\n%s", got, err, e.want)
			}
		})
	}
}
