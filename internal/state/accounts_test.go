package state

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUserOwnedFieldsAreMergedByName(t *testing.T) {
	const (
		passwd = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n"
		shadow = "root:*:20000:0:99999:7:::\nada:!:20000:0:99999:7:::\n"
	)
	owns := map[string][]string{"ada": {FieldPassword, FieldShell}}
	tests := []struct {
		name               string
		declared, previous Accounts
		users              map[string][]string
		want               Accounts
	}{
		{
			name:     "password and shell come over",
			declared: Accounts{[]byte(passwd), []byte(shadow)},
			previous: Accounts{
				[]byte("ada:x:1000:1000:Ada:/home/ada:/bin/zsh\n"),
				[]byte("ada:$y$j9T$hash:20700:0:99999:7:::\n"),
			},
			users: owns,
			want: Accounts{
				[]byte(strings.ReplaceAll(passwd, "/home/ada:/bin/bash", "/home/ada:/bin/zsh")),
				[]byte(strings.ReplaceAll(shadow, "ada:!:20000", "ada:$y$j9T$hash:20700")),
			},
		},
		{
			name:     "only owned fields come over",
			declared: Accounts{[]byte(passwd), []byte(shadow)},
			previous: Accounts{
				[]byte("ada:x:0:0:Evil:/:/bin/zsh\nroot:x:0:0:root:/root:/bin/zsh\n"),
				[]byte("ada:hash:20700:1:2:3:4:5:6\nroot:hash:1:0:99999:7:::\n"),
			},
			users: map[string][]string{"ada": {FieldPassword}},
			want: Accounts{
				[]byte(passwd),
				[]byte(strings.ReplaceAll(shadow, "ada:!:20000", "ada:hash:20700")),
			},
		},
		{
			name:     "the comment can be owned",
			declared: Accounts{Passwd: []byte(passwd)},
			previous: Accounts{Passwd: []byte("ada:x:1000:1000:Ada L.:/home/ada:/bin/zsh\n")},
			users:    map[string][]string{"ada": {FieldComment}},
			want:     Accounts{Passwd: []byte(strings.ReplaceAll(passwd, ":Ada:", ":Ada L.:"))},
		},
		{
			name:     "another uid does not matter: names count",
			declared: Accounts{Passwd: []byte("ada:x:1001:1001::/home/ada:/bin/bash\n")},
			previous: Accounts{Passwd: []byte("ada:x:1000:1000::/home/ada:/bin/zsh\n")},
			users:    owns,
			want:     Accounts{Passwd: []byte("ada:x:1001:1001::/home/ada:/bin/zsh\n")},
		},
		{
			name:     "undeclared users are dropped",
			declared: Accounts{[]byte(passwd), []byte(shadow)},
			previous: Accounts{[]byte("eve:x:1001:1001::/:/bin/sh\n" + passwd), []byte("eve:hash:1::::::\n" + shadow)},
			users:    map[string][]string{"ada": {FieldPassword}, "eve": {FieldPassword}},
			want:     Accounts{[]byte(passwd), []byte(shadow)},
		},
		{
			name:     "a new user keeps what is declared",
			declared: Accounts{[]byte(passwd), []byte(shadow)},
			previous: Accounts{[]byte("root:x:0:0:root:/root:/bin/bash\n"), []byte("root:*:20000:0:99999:7:::\n")},
			users:    owns,
			want:     Accounts{[]byte(passwd), []byte(shadow)},
		},
		{
			name:     "damaged lines are left alone",
			declared: Accounts{Shadow: []byte("ada:!\n\n# comment\nada:!:1:0:9:7:::")},
			previous: Accounts{Shadow: []byte("ada\n:\nada:hash:20700\nada:good:2:0:9:7:::\nada:second:3:0:9:7:::\n")},
			users:    owns,
			want:     Accounts{Shadow: []byte("ada:!\n\n# comment\nada:good:2:0:9:7:::")},
		},
		{
			name:     "files that were not there before",
			declared: Accounts{[]byte(passwd), []byte(shadow)},
			users:    owns,
			want:     Accounts{[]byte(passwd), []byte(shadow)},
		},
		{
			name:     "files that are not there now",
			previous: Accounts{[]byte(passwd), []byte(shadow)},
			users:    owns,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := MergeAccounts(test.declared, test.previous, test.users)
			if diff := cmp.Diff(asText(test.want), asText(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func asText(a Accounts) []string { return []string{string(a.Passwd), string(a.Shadow)} }

func FuzzMergeAccounts(f *testing.F) {
	f.Add("ada:!:1:0:9:7:::\n", "ada:hash:2:0:9:7:::\n")
	f.Add("ada:x:1:1::/:/bin/sh\nada", "ada:x:1:1::/:/bin/zsh\n\n:::::::\n")
	f.Fuzz(func(t *testing.T, declared, previous string) {
		users := map[string][]string{"ada": {FieldPassword, FieldShell, FieldComment}}
		in := Accounts{[]byte(declared), []byte(declared)}
		got := MergeAccounts(in, Accounts{[]byte(previous), []byte(previous)}, users)
		for _, text := range asText(got) {
			if strings.Count(text, "\n") != strings.Count(declared, "\n") || strings.Count(text, ":") != strings.Count(declared, ":") {
				t.Errorf("%q and %q give %q: not the same lines and fields", declared, previous, text)
			}
		}
		again := MergeAccounts(got, Accounts{[]byte(previous), []byte(previous)}, users)
		if diff := cmp.Diff(asText(got), asText(again)); diff != "" {
			t.Errorf("merging twice differs: %s", diff)
		}
	})
}
