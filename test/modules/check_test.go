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

// TestWhatPeopleWriteIsJudged has units and rules of sudo with a slip of the pen in
// each: the programs that read them say so at build, and where it was written.
func TestWhatPeopleWriteIsJudged(t *testing.T) {
	p := program.Example(t, "minimal")
	name := filepath.Join(p.Dir, "stet.yaml")
	base, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	declare := func(program, rule string) {
		t.Helper()
		text := string(base) + fmt.Sprintf(`packages: [sudo]
units:
  tidy.service: {text: "[Service]\nType=oneshot\nExecStart=%s\n"}
  tidy@.service: {text: "[Service]\nType=oneshot\nExecStart=/usr/bin/echo %%i\n"}
  tidy.timer: {text: "[Timer]\nOnCalendar=daily\n"}
files:
  /etc/sudoers.d/tidy: {text: "%s\n", mode: "0440"}
`, program, rule)
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	declare("/usr/bin/tidy-nothing", "%sudo ALL=(ALL) NOPASSWD /usr/bin/true")
	p.Must(t, "lock")
	wrong := p.Run(t, "build")
	first := strings.Count(string(base), "\n")
	for _, words := range []string{
		fmt.Sprintf("stet.yaml:%d:3: checks.units: does not succeed:", first+3), "/usr/bin/tidy-nothing is not executable",
		fmt.Sprintf("stet.yaml:%d:3: checks.sudoers: does not succeed:", first+7), "/etc/sudoers.d/tidy:1",
	} {
		if !strings.Contains(wrong.Stderr, words) {
			t.Errorf("what is wrong is told as\n%s\nand not %q", wrong.Stderr, words)
		}
	}
	if wrong.Code != 2 {
		t.Errorf("it ends with %d", wrong.Code)
	}
	declare("/usr/bin/true", "%sudo ALL=(ALL) NOPASSWD: /usr/bin/true")
	p.Build(t)
}
