package understudy

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInstallSettingsOfThePlainForm(t *testing.T) {
	for line, want := range map[string]struct {
		key      string
		values   []string
		declined bool
	}{
		"WantedBy=multi-user.target":      {key: "WantedBy", values: []string{"multi-user.target"}},
		"RequiredBy=a.target b@%i.target": {key: "RequiredBy", values: []string{"a.target", "b@%i.target"}},
		`Also=dev-\x2d.device`:            {key: "Also", values: []string{`dev-\x2d.device`}},
		"WantedBy=":                       {},
		"# WantedBy=a.target":             {},
		"WantedByNobody=a.target":         {},
		"":                                {},
		" WantedBy=a.target":              {declined: true},
		"wantedby=a.target":               {declined: true},
		"WantedBy=a.target ":              {declined: true},
		"WantedBy=a.target  b.target":     {declined: true},
		`Alias="a.service"`:               {declined: true},
		"DefaultInstance= one":            {declined: true},
		"\x0bAlso=a.service":              {declined: true},
	} {
		key, values, err := installSetting(line)
		if key != want.key || !slices.Equal(values, want.values) || (err != nil) != want.declined {
			t.Errorf("%q: have %q, %q, %v", line, key, values, err)
		}
	}
}

func TestInstancesOfTemplates(t *testing.T) {
	for unit, want := range map[string]string{
		"a@.service": "a@one.service", "a.service": "a.service", "a@b.service": "a@b.service", "a@b@.socket": "a@b@one.socket", "a@": "a@",
	} {
		if have := instance(unit, "one"); have != want {
			t.Errorf("%s: have %s, want %s", unit, have, want)
		}
	}
}

func TestDatabasesComeOutAsTheyWentIn(t *testing.T) {
	const text = "Name: a/b\nTemplate: a/b\nValue: one\\ntwo\nOwners: a, c\nFlags: seen, x\nVariables:\n one = 1\n two = \n\n" +
		"Name: a/c\nTemplate: a/b\nOwners: a\n\n"
	d := &database{name: filepath.Join(t.TempDir(), "config.dat"), mode: 0o644, backup: true}
	if err := os.WriteFile(d.name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := d.read(); err != nil {
		t.Fatal(err)
	}
	if value := d.items["a/b"].fields["value"]; value != "one\ntwo" {
		t.Errorf("the value is %q", value)
	}
	if err := d.open(); err != nil {
		t.Fatal(err)
	}
	d.changed = true
	if err := d.save(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{d.name, d.name + "-old"} {
		if have, err := os.ReadFile(name); err != nil || string(have) != text {
			t.Errorf("%s: %v\n%s", name, err, have)
		}
	}
}

func TestTemplatesFlowAsDebconfHasThem(t *testing.T) {
	have, err := parseTemplate("Template: a/b\nType: select\nChoices: x, y\nDescription: Short  \n Long\n text.\n .\n Second:\n  * one\n  * two\n end")
	if err != nil {
		t.Fatal(err)
	}
	if want := "Long text.\n\nSecond:\n * one\n * two\nend"; have.fields["extended_description"] != want || have.fields["description"] != "Short" {
		t.Errorf("%q", have.fields)
	}
	for _, bad := range []string{"", "Type: string", "Template: a", "Template: a\nType: string\nType: note", "Template: a\nType: string\nnothing", "Template: a\nType: string\nSecret: x"} {
		if _, err := parseTemplate(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestChoicesAndVariables(t *testing.T) {
	q := newQuestions()
	for _, d := range q.all() {
		d.items = map[string]*item{}
	}
	for text, want := range map[string][]string{
		"a, b,  c": {"a", "b", "c"}, `a\, b, c`: {"a, b", "c"}, "a,b, c": {"a,b", "c"}, "": nil, "${v}, x": {"1", "2", "x"}, `a\b`: {`a\b`},
	} {
		if err := q.load(templateText{"a/b", map[string]string{"type": "select", "choices": text}}, "a"); err != nil {
			t.Fatal(err)
		}
		q.set("a/b", func(i *item) { i.variables["v"] = "1, 2" })
		if have, err := q.choices("a/b"); err != nil || !slices.Equal(have, want) {
			t.Errorf("%q: have %q, %v", text, have, err)
		}
	}
}

// What is read back is what was written, whatever it was.
func FuzzDatabase(f *testing.F) {
	f.Add("Name: a\nTemplate: b\nVariables:\n x = y")
	f.Fuzz(func(t *testing.T, stanza string) {
		name, i, err := parseItem(strings.TrimSuffix(stanza, "\n\n"))
		if err != nil {
			return
		}
		var first, second bytes.Buffer
		i.write(&first, name)
		name, i, err = parseItem(strings.TrimSuffix(first.String(), "\n\n"))
		if err != nil {
			return // it had nothing that another program would take, either
		}
		i.write(&second, name)
		if strings.Count(first.String(), "\n") != strings.Count(second.String(), "\n") {
			t.Errorf("%q became %q", first.String(), second.String())
		}
	})
}

func FuzzTemplates(f *testing.F) {
	f.Add("Template: a/b\nType: string\nDescription: c\n d\n  e\n .\n")
	f.Fuzz(func(t *testing.T, stanza string) {
		if made, err := parseTemplate(stanza); err == nil && (made.name == "" || made.fields["type"] == "") {
			t.Errorf("%q has no name or type", stanza)
		}
	})
}

func TestPrioritiesOfModules(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.ini")
	for text, want := range map[string]string{
		"": "20", "extension=a.so\n": "20", "; priority=10\nextension=a.so": "10", ";  priority \t= 15 \r\n": "15", ";priority=007\n": "007",
		"; priority=\n": "declined", "; priority=1\n; priority=2\n": "declined", "; Priority=1\n": "20", "# priority=1\n": "declined", "7\n; priority=30\n": "declined", "; priority=1x\n": "declined",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		have, err := phpPriority(name)
		if err != nil {
			have = "declined"
		}
		if have != want {
			t.Errorf("%q: have %s, want %s", text, have, want)
		}
	}
}

func TestOptionsOfPHPThatAreNotPlain(t *testing.T) {
	for _, line := range []string{
		"", "-q one", "-v ALL one", "-v 8.4", "-v", "-v 8.4 -v 8.4 one", "-qv 8.4 one", "-v8.4 one", "-q -q -v 8.4 one", "-x -v 8.4 one", "-v .. one", "-v ../8.4 one",
	} {
		c := Call{Args: strings.Fields(line)}
		if o, _, err := c.phpOptions("qmr"); err == nil {
			t.Errorf("%q: have %+v", line, o)
		}
	}
}

func TestAccountsOfUCF(t *testing.T) {
	account := []string{"0123  /etc/a.conf\n", "4567  /etc/b/etc/a.conf\n", "89ab  /etc/axconf\n", "php \t /etc/php/a b\n", "  /etc/c\n"}
	for name, want := range map[string][]string{
		"/etc/a.conf": {"0123"}, "/etc/axconf": {"89ab"}, "/etc/php/a b": {"php"}, "/etc/d": nil, "/etc/c": {"."},
	} {
		if have := of(account, name); !slices.Equal(have, want) {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
	}
}

func TestOwnersOfQuestions(t *testing.T) {
	const text = "Name: ucf/title\nTemplate: ucf/title\nOwners: ucf, other\n\nName: ucf/title2\nOwners: x\nExtended: Owners: ucf\n\nName: none\nTemplate: none\n\n"
	for name, want := range map[string][]string{"ucf/title": {"ucf", "other"}, "ucf/title2": {"x"}, "none": nil, "title": nil, "ucf": nil} {
		if have := ownersOf([]byte(text), []byte(name)); !slices.Equal(have, want) {
			t.Errorf("%s: have %q, want %q", name, have, want)
		}
	}
}
