package example

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fake is a stet whose packages can be had, or fail in one way until the
// repository is updated.
const fake = `#!/bin/sh
dir=$2; verb=$4
echo "$verb $(basename "$(dirname "$dir")")" >> "$(dirname "$0")/log"
case $verb in
update) echo new > "$dir/stet.lock";;
fetch) grep -q new "$dir/stet.lock" || { echo '{"error": "package a 1 (all): no mirror has it any more: run this", "reason": "REASON"}'; exit CODE; };;
esac
`

// TestAnExampleIsLockedAnewOnlyWhenItMust tells the reasons for a copy from
// those that must be heard of.
func TestAnExampleIsLockedAnewOnlyWhenItMust(t *testing.T) {
	for name, c := range map[string]struct {
		lock, reason, code string
		copied, wrong      bool
	}{
		"everything is there":    {lock: "new"},
		"packages are gone":      {lock: "old", reason: "gone", code: "1", copied: true},
		"a place does not say":   {lock: "old", reason: "", code: "1", copied: true},
		"bytes were altered":     {lock: "old", reason: "altered", code: "1", wrong: true},
		"the input is not right": {lock: "old", reason: "", code: "2", wrong: true},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir, copied := filepath.Join(top, "examples", "a"), filepath.Join(top, "relocked", "a")
			write(t, filepath.Join(dir, "stet.lock"), c.lock+"\n")
			write(t, filepath.Join(dir, "stet.yaml"), "name: a\n")
			stet := filepath.Join(top, "stet")
			write(t, stet, strings.NewReplacer("REASON", c.reason, "CODE", c.code).Replace(fake))
			var said strings.Builder
			// The second time the copy is taken as it is.
			for range 2 {
				said.Reset()
				got, relocked, err := prepare(t.Context(), stet, dir, copied, &said)
				if (err != nil) != c.wrong || relocked != c.copied {
					t.Fatalf("%q, %v, %v", got, relocked, err)
				}
				if lines := strings.Count(said.String(), "\n"); c.copied && lines != 1 || !c.copied && lines != 0 {
					t.Errorf("it says %q", said.String())
				}
				if want := map[bool]string{true: copied, false: dir}[c.copied]; !c.wrong && got != want {
					t.Errorf("got %s", got)
				}
			}
			if text, err := os.ReadFile(filepath.Join(dir, "stet.lock")); err != nil || string(text) != c.lock+"\n" {
				t.Errorf("the example itself has now %q, %v", text, err)
			}
			log, err := os.ReadFile(filepath.Join(top, "log"))
			if err != nil {
				t.Fatal(err)
			}
			if updates := strings.Count(string(log), "update relocked"); c.copied != (updates == 1) {
				t.Errorf("it updated %d times:\n%s", updates, log)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
