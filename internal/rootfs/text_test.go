package rootfs

import (
	"slices"
	"testing"
)

func TestWordsOfAText(t *testing.T) {
	for text, want := range map[string][]string{
		"":                        nil,
		"/ // /../ ;":             {".."},
		"if command -v g++; then": {"if", "command", "-v", "g++", "then"},
		"ls \"/lib/a/\" /opt//b":  {"ls", "/usr/lib/a", "lib", "a", "/opt/b", "opt", "b"},
		"x=$dir/part":             {"x", "dir", "part"},
		"end/":                    {"end"},
	} {
		if have := slices.Collect(words([]byte(text))); !slices.Equal(have, want) {
			t.Errorf("%q has %q, want %q", text, have, want)
		}
	}
}
