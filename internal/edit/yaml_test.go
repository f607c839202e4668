package edit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at is a path, written with spaces.
func at(path string) []string { return strings.Fields(path) }

type example struct {
	name   string
	before string
	change Change
	after  string
}

func run(t *testing.T, edit func(string, []byte, ...Change) ([]byte, error), name string, examples []example) {
	t.Helper()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			for _, end := range []string{"\n", "\r\n"} {
				if end != "\n" && (!strings.Contains(e.before, "\n") || strings.Contains(e.before, "\r") || strings.Contains(e.before+e.after, `"""`)) {
					continue
				}
				before, after := strings.ReplaceAll(e.before, "\n", end), strings.ReplaceAll(e.after, "\n", end)
				got, err := edit(name, []byte(before), e.change)
				if err != nil {
					t.Fatalf("%v\n%s", err, before)
				}
				if diff := cmp.Diff(after, string(got)); diff != "" {
					t.Errorf("lines that end in %q:\n%s\n%s", end, diff, got)
				}
				again, err := edit(name, got, e.change)
				if err != nil || string(again) != string(got) {
					t.Errorf("the second time: %v\n%s", err, again)
				}
			}
		})
	}
}

func TestYAMLSets(t *testing.T) {
	run(t, YAML, "stet.yaml", []example{
		{"a scalar, and nothing behind it", "name: web # its name\nport: 80\n", Set(at("name"), String("mail")), "name: mail # its name\nport: 80\n"},
		{"a number", "port: 80   # here\n", Set(at("port"), Int(8080)), "port: 8080   # here\n"},
		{"a truth in a flow map", "network: {dhcp: true, x: 'y'}\n", Set(at("network dhcp"), Bool(false)), "network: {dhcp: false, x: 'y'}\n"},
		{"what is there already, in other quotes", "name: 'web'\n", Set(at("name"), String("web")), "name: 'web'\n"},
		{"in the place of a text over lines", "a: \"b\n  c\" # d\ne: 1\n", Set(at("a"), String("f")), "a: f # d\ne: 1\n"},
		{"in the place of plain text over lines", "a: b\n  c\n\n  d\ne: 1\n", Set(at("a"), String("f")), "a: f\ne: 1\n"},
		{"in the place of nothing", "a:\nb: # c\n", Set(at("b"), String("x")), "a:\nb: x # c\n"},
		{"in the place of null", "a: ~ # c\nb: null\n", Set(at("a"), Int(1)), "a: 1 # c\nb: null\n"},
		{"in the place of nothing in flow", "a: {b, c: }\n", Set(at("a b"), Int(1)), "a: {b: 1, c: }\n"},
		{"in the place of nothing in flow, behind a colon", "a: {b, c: }\n", Set(at("a c"), Int(1)), "a: {b, c: 1 }\n"},
		{"in the place of {}", "a: {} # b\n", Set(at("a"), Int(1)), "a: 1 # b\n"},
		{"a new key", "name: web\n", Set(at("port"), Int(80)), "name: web\nport: 80\n"},
		{"a new key without a newline at the end", "name: web", Set(at("port"), Int(80)), "name: web\nport: 80"},
		{"a new key in an empty file", "", Set(at("a b"), Int(80)), "a:\n  b: 80\n"},
		{"a new key in a file of comments", "# A machine.\n", Set(at("a"), Int(80)), "# A machine.\na: 80\n"},
		{"a new key in a document that begins", "---\n# none\n", Set(at("a"), Int(80)), "---\n# none\na: 80\n"},
		{"a new key in the map of that name", "users:\n    ada:\n        uid: 1\n    # no more\n\nport: 80\n", Set(at("users ada system"), Bool(true)),
			"users:\n    ada:\n        uid: 1\n        system: true\n    # no more\n\nport: 80\n"},
		{"a new key behind a comment that is deeper", "users:\n  ada:\n    uid: 1\n    # gid: 1\n\nport: 80\n", Set(at("users bob uid"), Int(2)),
			"users:\n  ada:\n    uid: 1\n    # gid: 1\n  bob:\n    uid: 2\n\nport: 80\n"},
		{"a new map as the one beside it", "users:\n  ada: {uid: 1} # first\n", Set(at("users bob"), Map{{"uid", Int(2)}}),
			"users:\n  ada: {uid: 1} # first\n  bob: {uid: 2}\n"},
		{"a new key in a flow map", "sysctl: {net.ipv4.ip_forward: 1}\n", Set(at("sysctl kernel.panic"), Int(5)), "sysctl: {net.ipv4.ip_forward: 1, kernel.panic: 5}\n"},
		{"a new key in a flow map with spaces", "a: { b: 1 }\n", Set(at("a c d"), Int(5)), "a: { b: 1, c: {d: 5} }\n"},
		{"a new key in a flow map of several lines", "a: {\n  b: 1, # one\n  c: 2 # two\n} # end\n", Set(at("a d"), Int(3)), "a: {\n  b: 1, # one\n  c: 2, # two\n  d: 3\n} # end\n"},
		{"a new key in a flow map of several lines with a last comma", "a: {\n  b: 1, # one\n}\n", Set(at("a d"), Int(3)), "a: {\n  b: 1, # one\n  d: 3,\n}\n"},
		{"a new key in an empty flow map", "services: {ssh: {}}\n", Set(at("services ssh port"), Int(22)), "services: {ssh: {port: 22}}\n"},
		{"a new key in an empty map", "services:\n  ssh: {} # for all\n", Set(at("services ssh port"), Int(22)), "services:\n  ssh: {port: 22} # for all\n"},
		{"a new key below nothing", "services: # some\n  # ssh\nport: 1\n", Set(at("services ssh"), Map{}), "services: # some\n  # ssh\n  ssh: {}\nport: 1\n"},
		{"keys that need quotes", "a: 1\n", Set([]string{"on", "a: b", "/etc/motd", "net.ipv4.ip_forward", "12", ""}, Int(1)),
			"a: 1\n\"on\":\n  \"a: b\":\n    /etc/motd:\n      net.ipv4.ip_forward:\n        \"12\":\n          \"\": 1\n"},
		{"keys that are in quotes", "\"on\": {'/etc/motd': 1}\n", Set(at("on /etc/motd"), Int(2)), "\"on\": {'/etc/motd': 2}\n"},
		{"keys of other alphabets", "größe: {été: 1} # née\n", Set(at("größe été"), Int(2)), "größe: {été: 2} # née\n"},
		{"a new key of another alphabet", "größe: {日本: 1} # née\n", Set(at("größe été"), String("né")), "größe: {日本: 1, été: né} # née\n"},
		{"a key behind a block of text", "a: |+\n  b\n\n", Set(at("c"), Int(1)), "a: |+\n  b\n\nc: 1\n"},
		{"with a map at the end of a flow file", "{a: 1}\n", Set(at("b c"), Int(1)), "{a: 1, b: {c: 1}}\n"},
		{"in an empty flow file", "{}\n", Set(at("b c"), Int(1)), "{b: {c: 1}}\n"},
	})
}

func TestYAMLMaps(t *testing.T) {
	file := Map{{"/etc/motd", Map{{"text", String("hi\nthere\n")}, {"mode", String("0600")}}}}
	run(t, YAML, "stet.yaml", []example{
		{"are new", "name: web\n", Set(at("files"), file), "name: web\nfiles:\n  /etc/motd:\n    text: |\n      hi\n      there\n    mode: \"0600\"\n"},
		{"fill {}", "files: {} # none\nb: 1\n", Set(at("files"), file), "files: # none\n  /etc/motd:\n    text: |\n      hi\n      there\n    mode: \"0600\"\nb: 1\n"},
		{"are merged", "files:\n  /etc/motd: {mode: '0644', user: ada}\n", Set(at("files"), file), "files:\n  /etc/motd: {mode: \"0600\", user: ada, text: \"hi\\nthere\\n\"}\n"},
		{"of maps are merged", "a:\n  b:\n    c: 1 # c\n", Set(nil, Map{{"a", Map{{"b", Map{{"c", Int(2)}, {"d", Map{}}}}}}}), "a:\n  b:\n    c: 2 # c\n    d: {}\n"},
		{"without entries change nothing", "a: {b: 1}\n", Set(at("a"), Map{}), "a: {b: 1}\n"},
		{"without entries fill nothing", "a: # b\n", Set(at("a"), Map{}), "a: {} # b\n"},
	})
}

func TestYAMLTexts(t *testing.T) {
	run(t, YAML, "stet.yaml", []example{
		{"become blocks", "a: \"x\" # y\nb: 1\n", Set(at("a"), String("b\n\nc")), "a: |- # y\n  b\n\n  c\nb: 1\n"},
		{"stay blocks", "a: | # y\n  old\n\n  text\n\n# z\nb: 1\n", Set(at("a"), String("b\nc\n")), "a: | # y\n  b\n  c\n\n# z\nb: 1\n"},
		{"are blocks no more", "a:\n  b: |+ # y\n    old\n\n\n  c: 1\n", Set(at("a b"), String("x")), "a:\n  b: x # y\n  c: 1\n"},
		{"keep newlines at their end", "a: b\nc: 1\n", Set(at("a"), String("b\nc\n\n")), "a: |+\n  b\n  c\n\nc: 1\n"},
		{"begin with spaces", "a:\n    b: c\n", Set(at("a b"), String("  b\nc\n")), "a:\n    b: |4\n          b\n        c\n"},
		{"have tabs and comments that are none", "a: b\n", Set(at("a"), String("# b\n\tc: d\n")), "a: |\n  # b\n  \tc: d\n"},
		{"have what no block has", "a: b\n", Set(at("a"), String("b\x1b\nc\n")), "a: \"b\\x1b\\nc\\n\"\n"},
		{"of one line are no block", "a: b\n", Set(at("a"), String("b c\n")), "a: \"b c\\n\"\n"},
		{"in flow", "a: {b: c}\n", Set(at("a b"), String("b\nc\n")), "a: {b: \"b\\nc\\n\"}\n"},
		{"at the end of a file without a newline", "a: b # c", Set(at("a"), String("b\nc\n")), "a: | # c\n  b\n  c\n"},
		{"above blank lines that would become a part", "a: b\n\n\nc: 1\n", Set(at("a"), String("b\nc\n\n")), "a: \"b\\nc\\n\\n\"\n\n\nc: 1\n"},
	})
	for text, want := range map[string]string{
		"plain": "plain", "two words": "two words", "/etc/motd": "/etc/motd", "a:b": "a:b", "8G": "8G", "30s": "30s", "it's": "it's",
		"http://localhost/x?y=z&a": "http://localhost/x?y=z&a", "ssh-ed25519 AAAAC3Nz+/= ada": "ssh-ed25519 AAAAC3Nz+/= ada", "a#b": "a#b",
		"": `""`, " a": `" a"`, "a ": `"a "`, "a: b": `"a: b"`, "a:": `"a:"`, "a #b": `"a #b"`, "#a": `"#a"`, "- a": `"- a"`, "---": `"---"`, "...": `"..."`,
		"yes": `"yes"`, "Off": `"Off"`, "null": `"null"`, "~": `"~"`, "n": `"n"`, "=": `"="`, "<<": `"<<"`, "*a": `"*a"`, "&a": `"&a"`, "!a": `"!a"`, "@a": `"@a"`,
		"0600": `"0600"`, "1": `"1"`, "-1": `"-1"`, "1.5": `"1.5"`, "1e3": `"1e3"`, "0x1f": `"0x1f"`, "0o7": `"0o7"`, "1_000": `"1_000"`, ".5": `".5"`, ".inf": `".inf"`, "-.INF": `"-.INF"`, ".nan": `".nan"`,
		"12:30": `"12:30"`, "2026-11-01": `"2026-11-01"`, "2026-11-01T12:00:00Z": `"2026-11-01T12:00:00Z"`,
		"a\"b\\": `a"b\`, "\"a": `"\"a"`, "a\tb": `"a\tb"`, "\u2028": `"\u2028"`, "\U0001F600": `"😀"`, "\u00a0": `"\xa0"`,
	} {
		got, err := YAML("stet.yaml", []byte("a: old\n"), Set(at("a"), String(text)))
		if err != nil || string(got) != "a: "+want+"\n" {
			t.Errorf("%q is written %q, want %q (%v)", text, got, want, err)
		}
	}
}

func TestYAMLMembers(t *testing.T) {
	run(t, YAML, "stet.yaml", []example{
		{"of a flow list", "packages: [git, curl] # two\n", Add(at("packages"), "htop"), "packages: [git, curl, htop] # two\n"},
		{"of an empty list", "packages: []\n", Add(at("packages"), "a, b"), "packages: [\"a, b\"]\n"},
		{"of a flow list over lines", "packages: [git,\n  curl]\n", Add(at("packages"), "htop"), "packages: [git,\n  curl, htop]\n"},
		{"of a flow list of lines", "packages: [\n  git,\n  curl, # c\n  # no more\n]\n", Add(at("packages"), "htop"), "packages: [\n  git,\n  curl, # c\n  htop,\n  # no more\n]\n"},
		{"of a block list", "packages:\n- git # g\n- htop: {hold: true}\n# end\nb: 1\n", Add(at("packages"), "curl"), "packages:\n- git # g\n- htop: {hold: true}\n- curl\n# end\nb: 1\n"},
		{"of an indented list", "packages:\n  - git", Add(at("packages"), "curl"), "packages:\n  - git\n  - curl"},
		{"of a flow map", "packages: {git: {}, curl: {hold: true}}\n", Add(at("packages"), "htop"), "packages: {git: {}, curl: {hold: true}, htop: {}}\n"},
		{"of a block map", "packages:\n  git: {}\n  curl: {hold: true}\n", Add(at("packages"), "htop"), "packages:\n  git: {}\n  curl: {hold: true}\n  htop: {}\n"},
		{"of an empty map", "packages: {}\n", Add(at("packages"), "htop"), "packages: {htop: {}}\n"},
		{"of a new set", "users:\n  ada: {uid: 1}\n", Add(at("users ada groups"), "sudo"), "users:\n  ada: {uid: 1, groups: [sudo]}\n"},
		{"of a set that is nothing yet", "packages: # none\n", Add(at("packages"), "htop"), "packages: [htop] # none\n"},
		{"that are there", "packages: [git, 'htop']\n", Add(at("packages"), "htop"), "packages: [git, 'htop']\n"},
		{"that are there with options", "packages:\n  - htop: {hold: true}\n", Add(at("packages"), "htop"), "packages:\n  - htop: {hold: true}\n"},
		{"that are there as a key", "packages: {htop}\n", Add(at("packages"), "htop"), "packages: {htop}\n"},
		{"dropped from a flow list", "packages: [git, curl, htop]\n", Drop(at("packages"), "curl"), "packages: [git, htop]\n"},
		{"dropped from its begin", "packages: [ git, curl, htop ]\n", Drop(at("packages"), "git"), "packages: [ curl, htop ]\n"},
		{"dropped from its end", "packages: [ git, curl, htop, ]\n", Drop(at("packages"), "htop"), "packages: [ git, curl, ]\n"},
		{"dropped from a list that is empty then", "packages: [ git ] # g\n", Drop(at("packages"), "git"), "packages: [] # g\n"},
		{"dropped from a flow list of lines", "packages: [\n  # one\n  git, # g\n  curl # c\n]\n", Drop(at("packages"), "git"), "packages: [\n  # one\n  curl # c\n]\n"},
		{"dropped from the end of a flow list of lines", "packages: [\n  git, # g\n  curl # c\n]\n", Drop(at("packages"), "curl"), "packages: [\n  git, # g\n]\n"},
		{"dropped from a flow list over lines", "packages: [git, # g\n  curl, htop]\n", Drop(at("packages"), "curl"), "packages: [git, # g\n  htop]\n"},
		{"dropped from a block list", "packages:\n  # the one\n  - git\n\n  # for the web\n  # and more\n  - curl # c\n  - htop\n", Drop(at("packages"), "curl"), "packages:\n  # the one\n  - git\n\n  - htop\n"},
		{"dropped with their options", "packages:\n- htop:\n    hold: true\n- git\n", Drop(at("packages"), "htop"), "packages:\n- git\n"},
		{"dropped from a block list that is empty then", "packages: # p\n- git\nb: 1\n", Drop(at("packages"), "git"), "packages: [] # p\nb: 1\n"},
		{"dropped from a map", "packages: {git: {}, curl}\n", Drop(at("packages"), "curl"), "packages: {git: {}}\n"},
		{"dropped that are not there", "packages: {git: {}, curl}\n", Drop(at("packages"), "htop"), "packages: {git: {}, curl}\n"},
		{"dropped from nothing", "packages:\n", Drop(at("packages"), "htop"), "packages:\n"},
	})
}

func TestYAMLRemoves(t *testing.T) {
	run(t, YAML, "stet.yaml", []example{
		{"an entry", "a: 1\nb: 2 # two\nc: 3\n", Remove(at("b")), "a: 1\nc: 3\n"},
		{"the comments that are attached", "a: 1\n\n# apart\n\n# of b\n# and b\nb: 2\nc: 3\n", Remove(at("b")), "a: 1\n\n# apart\n\nc: 3\n"},
		{"no comment of another depth", "a:\n  b: 1\n  # of b\nc: 3\n", Remove(at("c")), "a:\n  b: 1\n  # of b\n"},
		{"an entry with all it has", "a:\n  b: |\n    # c\n\n    d\n  # of b\n\n# c\nc: 3\n", Remove(at("a")), "\n# c\nc: 3\n"},
		{"the last of a block", "a: # x\n  # of b\n  b: 1\nc: 3\n", Remove(at("a b")), "a: {} # x\nc: 3\n"},
		{"the last of a flow", "a: {b: 1} # x\n", Remove(at("a b")), "a: {} # x\n"},
		{"the last of the file", "# x\n\na: 1\n", Remove(at("a")), "# x\n\n"},
		{"the last of a flow file", "{a: 1}\n", Remove(at("a")), "{}\n"},
		{"what is not there", "a: 1\n", Remove(at("b c")), "a: 1\n"},
		{"from a file without a newline", "a: 1\nb: 2", Remove(at("b")), "a: 1\n"},
		{"a list at the depth of its key", "a:\n- 1\n- 2\nb: 1\n", Remove(at("a")), "b: 1\n"},
		{"from a flow map", "a: {b: [1, {c: d}], 'e': \"}\", f: 1}\n", Remove(at("a e")), "a: {b: [1, {c: d}], f: 1}\n"},
	})
}

func TestYAMLRefuses(t *testing.T) {
	for _, e := range []struct {
		name, before string
		change       Change
		want         string
	}{
		{"an alias", "a: &x {b: 1}\nc: *x\n", Set(at("c b"), Int(1)), "stet.yaml:2:4: c.b: an alias stands for a value that is elsewhere: edit it by hand"},
		{"an anchor", "a: &x {b: 1}\nc: *x\n", Set(at("a b"), Int(2)), "stet.yaml:1:4: a.b: the anchor &x has this value stand elsewhere, too: edit it by hand"},
		{"a merge key", "x: &x {b: 1}\na:\n  <<: *x\n", Set(at("a b"), Int(2)), "stet.yaml:3:3: a.b: a merge key brings entries from elsewhere: edit it by hand"},
		{"a tag", "a: !!str 1\n", Set(at("a"), Int(2)), "stet.yaml:1:4: a: a tag says what this value is: edit it by hand"},
		{"two documents", "a: 1\n---\nb: 1\n", Set(at("a"), Int(2)), "stet.yaml:2:1: a second document begins here: keep one document in a file"},
		{"a key twice", "a: 1\nb: {c: 1, c: 2}\n", Set(at("a"), Int(2)), "stet.yaml:2:11: the key \"c\" is written twice: edit it by hand"},
		{"a value on the way", "é: {a: 1}\n", Set(at("é a b"), Int(2)), "stet.yaml:1:8: é.a.b: found the value \"1\" where a map is expected: edit it by hand"},
		{"a list on the way", "a: [1]\n", Remove(at("a b")), "stet.yaml:1:4: a.b: found a list where a map is expected: edit it by hand"},
		{"a map in the place of a value", "a: {b: 1}\n", Set(at("a"), Int(2)), "stet.yaml:1:4: a: found a map where one value is expected: edit it by hand"},
		{"a value in the place of a set", "a: 1\n", Add(at("a"), "x"), "stet.yaml:1:4: a.x: found the value \"1\" where a map is expected: edit it by hand"},
		{"a member that others refer to", "a: [&x b, c]\nd: *x\n", Drop(at("a"), "c"), "stet.yaml:1:5: a: the anchor &x has this value stand elsewhere, too: edit it by hand"},
		{"what others refer to", "a: {b: &x 1}\nd: *x\n", Remove(at("a")), "stet.yaml:1:1: a: what stands here cannot be changed without changing something else: edit it by hand"},
		{"no YAML", "a: [\n", Set(at("a"), Int(1)), "stet.yaml:2:1: not YAML: did not find expected node content: mend it by hand"},
		{"lines that end in two ways", "a: 1\r\nb: 1\n", Set(at("a"), Int(1)), "stet.yaml:1:5: lines end in more than one way: save the file with one kind of line ends"},
		{"no text", "a: \xff\n", Set(at("a"), Int(1)), "stet.yaml:1:4: not UTF-8 text: save the file as UTF-8"},
		{"a whole file", "a: 1\n", Remove(nil), "stet.yaml:1:1: the whole file can be no scalar, and cannot be removed: this is a mistake of who asked for it"},
	} {
		t.Run(e.name, func(t *testing.T) {
			got, err := YAML("stet.yaml", []byte(e.before), e.change)
			if err == nil {
				t.Fatalf("it became\n%s", got)
			}
			if got != nil || err.Error() != e.want {
				t.Errorf("%s%v\nwant\n%s", got, err, e.want)
			}
		})
	}
}
