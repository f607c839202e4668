package rootfs

import (
	"slices"
	"testing"
)

func TestWordsOfAText(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		"/ // /../ ;":              {".."},
		"if command -v g++; then":  {"if", "command", "-v", "g++", "then"},
		"ls \"/lib/a/\" /opt//b":   {"ls", "/usr/lib/a", "lib", "a", "/opt/b", "opt", "b"},
		"x=$dir/part":              {"x", "part"},
		"my ($tree, @list) = ${x}": {"my"},
		"$(tree) `tree` tree@host": {"tree", "tree", "tree"},
		"end/":                     {"end"},
		"/etc/a/*":                 {"/etc/a", "etc", "a"},
		"/etc/a/b*.d/c":            {"/etc/a", "etc", "a", "b", "/c", ".d", "c"},
		"/opt/x$y":                 {"/opt", "opt", "x"},
	} {
		if have := slices.Collect(words([]byte(text))); !slices.Equal(have, want) {
			t.Errorf("%q has %q, want %q", text, have, want)
		}
	}
}
