package program_test

import (
	"path/filepath"
	"testing"

	"stet/test/example"
	"stet/test/program"
)

// TestTheStoreIsNeverTheUsers runs tests as somebody does who has not asked make.
func TestTheStoreIsNeverTheUsers(t *testing.T) {
	root, err := example.Root()
	if err != nil {
		t.Fatal(err)
	}
	mine, other := filepath.Join(root, ".cache", "store"), t.TempDir()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, c := range []struct {
		environment string
		more        []string
		want        string
	}{
		{"", nil, mine},
		{other, nil, other},
		{"", []string{"STET_STORE=" + other}, other},
	} {
		t.Setenv("STET_STORE", c.environment)
		if have := program.New(t, t.TempDir(), c.more...).Store(t); have != c.want {
			t.Errorf("%q and %q: %s, want %s", c.environment, c.more, have, c.want)
		}
	}
}
