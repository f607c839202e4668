package state

import (
	"slices"
	"strings"
)

// Accounts are the two files with fields that can belong to a user. A nil file
// is one that is not there.
type Accounts struct {
	Passwd []byte // passwd(5)
	Shadow []byte // shadow(5)
}

// Fields of passwd(5) and shadow(5), counted from zero.
const (
	passwdFields  = 7
	passwdComment = 4
	passwdShell   = 6
	shadowFields  = 9
	shadowHash    = 1
	shadowChanged = 2
)

// MergeAccounts returns declared, the accounts of a new /etc, with the fields
// that users own taken by name from previous. Accounts that only previous has
// are dropped, and lines that are not what passwd(5) says stay as declared. It
// is pure; when nothing is to be taken the bytes are those of declared.
func MergeAccounts(declared, previous Accounts, users map[string][]string) Accounts {
	return Accounts{
		Passwd: mergeFile(declared.Passwd, previous.Passwd, passwdFields, func(user string) []int {
			var take []int
			for _, field := range users[user] {
				switch field {
				case FieldShell:
					take = append(take, passwdShell)
				case FieldComment:
					take = append(take, passwdComment)
				}
			}
			return take
		}),
		Shadow: mergeFile(declared.Shadow, previous.Shadow, shadowFields, func(user string) []int {
			if slices.Contains(users[user], FieldPassword) {
				return []int{shadowHash, shadowChanged}
			}
			return nil
		}),
	}
}

func mergeFile(declared, previous []byte, fields int, owned func(user string) []int) []byte {
	if declared == nil || previous == nil {
		return declared
	}
	before := map[string][]string{}
	for line := range strings.Lines(string(previous)) {
		entry := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if _, ok := before[entry[0]]; !ok && len(entry) == fields {
			before[entry[0]] = entry // libc takes the first of a name, too
		}
	}
	var merged strings.Builder
	for line := range strings.Lines(string(declared)) {
		text, newline := strings.CutSuffix(line, "\n")
		entry := strings.Split(text, ":")
		if old, ok := before[entry[0]]; ok && len(entry) == fields {
			for _, field := range owned(entry[0]) {
				entry[field] = old[field]
			}
			text = strings.Join(entry, ":")
		}
		merged.WriteString(text)
		if newline {
			merged.WriteByte('\n')
		}
	}
	return []byte(merged.String())
}
