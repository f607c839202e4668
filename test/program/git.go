package program

import (
	"strings"
	"testing"

	"stet/internal/source"
)

// Git runs git in a directory, as a person does who has a name, and gives what it
// printed.
func Git(t testing.TB, dir string, args ...string) string {
	t.Helper()
	args = append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)
	out, err := source.Git(t.Context(), dir, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}
