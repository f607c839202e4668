package debian

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestScannerReadsStanzas(t *testing.T) {
	const text = "\n \nPackage: a\nDescription: first\n second\n .\n\tthird\nEmpty:\nConffiles:\n /etc/a 123\n /etc/b 456\n" +
		"\n  \t\r\n\nPackage:   b  \nVersion:1\r\n"
	want := []Stanza{
		{Line: 3, Fields: []Field{
			{"Package", "a", 3},
			{"Description", "first\n second\n .\n\tthird", 4},
			{"Empty", "", 8},
			{"Conffiles", "\n /etc/a 123\n /etc/b 456", 9},
		}},
		{Line: 15, Fields: []Field{{"Package", "b", 15}, {"Version", "1", 16}}},
	}
	for name, r := range map[string]io.Reader{
		"at once":      strings.NewReader(text),
		"byte by byte": iotest.OneByteReader(strings.NewReader(text)),
		"end with data": iotest.DataErrReader(
			strings.NewReader(text)),
	} {
		t.Run(name, func(t *testing.T) {
			s := NewScanner(r)
			var got []Stanza
			for {
				stanza, err := s.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, stanza)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScannerSkipsCommentsWhenAsked(t *testing.T) {
	const text = "# alone\n\n# before\nTypes: deb\nURIs: one\n# between\n two\n"
	s := NewScanner(strings.NewReader(text))
	s.Comments = true
	stanza, err := s.Next()
	if err != nil {
		t.Fatal(err)
	}
	if got := stanza.Get("uris"); got != "one\n two" {
		t.Errorf("URIs: %q", got)
	}
	if got := stanza.Fields[1].Line; got != 5 {
		t.Errorf("URIs is on line %d", got)
	}
	if _, err := s.Next(); err != io.EOF {
		t.Errorf("after the last stanza: %v", err)
	}
	if _, err := NewScanner(strings.NewReader(text)).Next(); err == nil {
		t.Error("comments pass unasked")
	}
}

func TestScannerNamesTheLineOfFaults(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no colon", "A: 1\nB 2\n", `line 2: no colon in "B 2"`},
		{"colon only on the next line", "A: 1\nB\n c: 2\n", `line 2: no colon in "B"`},
		{"begins with a continuation", "\n A: 1\n", `line 2: field name " A" holds ' '`},
		{"no name", ": 1\n", "line 1: a line begins with a colon, not with a field name"},
		{"blank before the colon", "A : 1\n", `line 1: field name "A " holds ' '`},
		{"twice", "A: 1\nB: 2\n 3\na: 4\n", "line 4: field a stands twice in a stanza"},
		{"NUL", "A: 1\n\nB: \x00\n", "stanza at line 3: holds a NUL byte"},
		{"hyphen", "-----BEGIN PGP: 1\n", `line 1: field name "-----BEGIN PGP" begins with '-'`},
		{"too many fields", manyFields(maxFields + 1), "line 1025: more than 1024 fields in a stanza"},
		{"too long", "A: 1\n\nB: " + strings.Repeat("x", maxStanza) + "\n", "line 3: stanza is longer than 16777216 bytes"},
		{"too long without an end", strings.Repeat("x", maxStanza+1<<19), "line 1: stanza is longer than 16777216 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := NewScanner(strings.NewReader(test.text))
			var err error
			for err == nil {
				_, err = s.Next()
			}
			if err.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
	broken := errors.New("broken")
	s := NewScanner(io.MultiReader(strings.NewReader("A: 1\nB: 2"), iotest.ErrReader(broken)))
	if _, err := s.Next(); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "line 2: ") {
		t.Errorf("reader's fault: %v", err)
	}
}

func manyFields(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("F" + strings.Repeat("x", i%30) + string(rune('a'+i/30%26)) + string(rune('a'+i/780)) + ":\n")
	}
	return b.String()
}

func TestStanzaSetAndDelete(t *testing.T) {
	s, err := ParseStanza([]byte("Package: a\nVersion: 1\nSection: x\n"))
	if err != nil {
		t.Fatal(err)
	}
	s.Set("version", "2")
	s.Set("Status", "install ok unpacked")
	s.Set("Conffiles", "\n /etc/a 0123")
	s.Delete("section")
	s.Delete("nothing")
	got, err := s.AppendText(nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "Package: a\nVersion: 2\nStatus: install ok unpacked\nConffiles:\n /etc/a 0123\n"
	if string(got) != want {
		t.Errorf("got:\n%s", got)
	}
	if _, err := ParseStanza(append(got, "\nPackage: b\n"...)); err == nil {
		t.Error("two stanzas pass for one")
	}
	if _, err := ParseStanza([]byte("\n\n")); err == nil {
		t.Error("no stanza passes for one")
	}
}

func TestStanzaRefusesToWriteWhatReadsBackDifferently(t *testing.T) {
	for _, f := range []Field{
		{Name: "A", Value: "1\nStatus: evil"},
		{Name: "A", Value: "1\n\n"},
		{Name: "A", Value: "1\n\nPackage: evil"},
		{Name: "A", Value: "1\n \n 2"},
		{Name: "A", Value: " 1"},
		{Name: "A", Value: "1\x00"},
		{Name: "A: 1\nB", Value: "2"},
		{Name: "", Value: "2"},
		{Name: "#A", Value: "2"},
		{Name: "first", Value: "again"},
	} {
		s := Stanza{Fields: []Field{{Name: "First", Value: "1"}, f}}
		if b, err := s.AppendText(nil); err == nil {
			t.Errorf("%+v is written as %q", f, b)
		}
	}
}

func FuzzScanner(f *testing.F) {
	f.Add([]byte("Package: a\nDescription: b\n c\n .\n\nPackage: d\n"), false)
	f.Add([]byte("# c\nA:\n b\n# d\n\t e\r\n\r\nB: 1"), true)
	f.Add([]byte(" \n\t\nA:b:c\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, comments bool) {
		s := NewScanner(iotest.HalfReader(bytes.NewReader(data)))
		s.Comments = comments
		for {
			stanza, err := s.Next()
			if err != nil {
				return
			}
			text, err := stanza.AppendText(nil)
			if err != nil {
				t.Fatalf("read but not written: %v\n%q", err, data)
			}
			again, err := ParseStanza(text)
			if err != nil {
				t.Fatalf("written but not read: %v\n%q", err, text)
			}
			if len(again.Fields) != len(stanza.Fields) {
				t.Fatalf("%d fields became %d: %q", len(stanza.Fields), len(again.Fields), text)
			}
			for i, field := range stanza.Fields {
				if field.Name != again.Fields[i].Name || field.Value != again.Fields[i].Value {
					t.Fatalf("%+v became %+v", field, again.Fields[i])
				}
			}
		}
	})
}
