package debian

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRelations(t *testing.T) {
	one := func(r Relation) Relations { return Relations{{r}} }
	for _, test := range []struct {
		name, text string
		want       Relations
	}{
		{"nothing", " \n ", nil},
		{"a name", "libc6", one(Relation{Name: "libc6"})},
		{"a version", "libc6 (>= 2.34)", one(Relation{Name: "libc6", Op: ">=", Version: "2.34"})},
		{"no white space", "libc6(>=2.34)", one(Relation{Name: "libc6", Op: ">=", Version: "2.34"})},
		{"a lot of white space", "\n libc6\t( >=\n 2.34 ) ", one(Relation{Name: "libc6", Op: ">=", Version: "2.34"})},
		{"the obsolete less", "a (< 1)", one(Relation{Name: "a", Op: "<=", Version: "1"})},
		{"the obsolete more", "a (> 1)", one(Relation{Name: "a", Op: ">=", Version: "1"})},
		{"no operator", "a (1)", one(Relation{Name: "a", Op: "=", Version: "1"})},
		{"an architecture", "perl:any (>= 5)", one(Relation{Name: "perl", Arch: "any", Op: ">=", Version: "5"})},
		{"versioned Provides", "awk-api (= 1:2)", one(Relation{Name: "awk-api", Op: "=", Version: "1:2"})},
		{"lists of alternatives", "a|b (= 1) | c, d", Relations{
			{{Name: "a"}, {Name: "b", Op: "=", Version: "1"}, {Name: "c"}}, {{Name: "d"}},
		}},
		{"spare commas", ", a,, b ,", Relations{{{Name: "a"}}, {{Name: "b"}}}},
		{"build dependencies", "a (>= 1) [amd64  !i386] <!nocheck  cross>  <stage1>", one(Relation{
			Name: "a", Op: ">=", Version: "1", Architectures: "amd64 !i386", Profiles: "<!nocheck cross> <stage1>",
		})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseRelations(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseRelationsRefuses(t *testing.T) {
	for _, text := range []string{
		"a b", "a (>= 1) b", "(>= 1)", "a (>= )", "a ()", "a (>= 1", "a (=> 1)", "a (>= 1 2)", "a (>= -)", "a (>= -1)", "a (>= x/y)", "a | ", "| a",
		"a:", "a: any", "a []", "a [amd64", "a [am/d64]", "a <>", "a <x", "a <x> [amd64]", "-a", "a/b", "a\x00", "ä", "a (>= 1)) ",
	} {
		if got, err := ParseRelations(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestRelationsKeepApart(t *testing.T) {
	in := interner{bulk: true}
	first, err := in.parseRelations("a, b")
	if err != nil {
		t.Fatal(err)
	}
	second, err := in.parseRelations("c, d")
	if err != nil {
		t.Fatal(err)
	}
	_ = append(first, Alternatives{{Name: "x"}})
	if got := second.String(); got != "c, d" {
		t.Errorf("appending to one list changed the other: %s", got)
	}
}

func FuzzParseRelations(f *testing.F) {
	f.Add("libc6 (>= 2.34), perl:any | awk (<< 1:2~), x [amd64 !i386] <!nocheck> <a b>")
	f.Add(", a ,(>")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseRelations(text)
		if err != nil {
			return
		}
		again, err := ParseRelations(first.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, first, err)
		}
		if diff := cmp.Diff(first, again); diff != "" {
			t.Fatalf("%q became %q: %s", text, first, diff)
		}
	})
}
