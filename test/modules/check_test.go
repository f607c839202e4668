package modules_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stet/internal/sandbox"
	"stet/test/program"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	os.Exit(m.Run())
}

// checked is examples/minimal with a file and somebody's module that has it
// checked, and with another file.
const checked = `
mine: {words: %q}
files: {/etc/page: {text: "%s\n"}}
`

// mine is a module of a repository. Its checker knows one word.
const mine = `package stet

#Machine: {
	// Words.
	mine?: #Mine
}

#Mine: {
	// What is said.
	words!: string
}

#Machine: {
	mine?: _
	if mine != _|_ {
		files: "/etc/mine": text: mine.words + "\n"
		%s
	}
}
`

const check = `checks: mine: {command: #"echo 'never kept' >/etc/mine.was; grep -qx good /etc/mine || { echo "/etc/mine:1: not good: $(cat /etc/mine)" >&2; exit 7; }"#, files: "/etc/mine": {}}`

// TestChecksHoldAtBuild has a module of the repository check what it writes, as
// a built-in one does.
func TestChecksHoldAtBuild(t *testing.T) {
	p := program.Example(t, "minimal")
	base, err := os.ReadFile(filepath.Join(p.Dir, "stet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(words, page, check string) {
		t.Helper()
		for name, text := range map[string]string{"stet.yaml": string(base) + fmt.Sprintf(checked, words, page), "mine.cue": fmt.Sprintf(mine, check)} {
			if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}

	write("bad", "1", check)
	wrong := p.Run(t, "build")
	at := fmt.Sprintf("stet.yaml:%d:1: checks.mine: does not succeed:", strings.Count(string(base), "\n")+2)
	for _, words := range []string{at, "\n/etc/mine:1: not good: bad\n", "mine: {words: \"bad\"}"} {
		if !strings.Contains(wrong.Stderr, words) {
			t.Errorf("a failed check says\n%s\nand not %q", wrong.Stderr, words)
		}
	}
	if wrong.Code != 2 {
		t.Errorf("a failed check ends with %d", wrong.Code)
	}

	write("good", "1", "")
	without := p.Build(t)
	write("good", "1", check)
	if with := p.Build(t); with.Digest != without.Digest {
		t.Errorf("a check makes %s of system %s", with.Digest, without.Digest)
	}
}
