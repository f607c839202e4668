package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/build"
	"stet/internal/store"
	"stet/internal/term"
)

func TestNumbersOfTriesAreKept(t *testing.T) {
	s, err := store.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a := &app{term: term.New(os.Stderr, func(string) string { return "" })}
	a.Getenv, a.Now = func(string) string { return "" }, func() time.Time { return now }
	given := func() build.Numbers {
		t.Helper()
		l, err := a.locker(s, t.TempDir(), mirrorFlag{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l.Given
	}
	if diff := cmp.Diff(build.Numbers{}, given()); diff != "" {
		t.Errorf("where nothing was tried: %s", diff)
	}
	// Most packages make no account.
	if err := noteNumbers(s, build.Numbers{}); err != nil {
		t.Fatalf("nothing is to be noted: %v", err)
	}
	if err := os.Mkdir(filepath.Join(s.Dir(), "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, n := range []build.Numbers{
		{Users: map[string]int{"a": 999}, Groups: map[string]int{"a": 998}},
		{Users: map[string]int{"b": 500}, Groups: map[string]int{}},
	} {
		if err := noteNumbers(s, n); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(build.Numbers{Users: map[string]int{"a": 999, "b": 500}, Groups: map[string]int{"a": 998}}, given()); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"{", `{"format":2}`} {
		if err := os.WriteFile(triedFile(s), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.locker(s, t.TempDir(), mirrorFlag{}, nil); err == nil || !strings.Contains(err.Error(), "tried.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
