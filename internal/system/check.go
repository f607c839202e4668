package system

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"stet/internal/machine"
	"stet/internal/tree"
)

// checkStage is the version of what a check means: the same command over the
// same files may be judged otherwise when it runs in another surrounding.
const checkStage = 1

// Check is a command that must succeed over the composed root. It changes
// nothing of it.
type Check struct {
	Name string
	machine.BuildCheck
}

// Checks gives a machine's checks, by name.
func Checks(m *machine.Machine) []Check {
	var all []Check
	for _, name := range sortedKeys(m.Checks) {
		all = append(all, Check{name, m.Checks[name]})
	}
	return all
}

// accountFiles decide what a checker thinks of owners and users.
var accountFiles = []string{passwdFile, groupFile}

// Key names the verdict on a composed root: the same packages, command and
// files, the same key. Root is the digest of the configured root. A check that
// names no files has read everything.
func (c Check) Key(root string, composed *tree.Tree) string {
	h := sha256.New()
	fmt.Fprintf(h, "check %d\n%s\n", checkStage, c.Command)
	if len(c.Files) == 0 {
		fmt.Fprintf(h, "all %s\n", composed.Digest())
		return hex.EncodeToString(h.Sum(nil))
	}
	fmt.Fprintf(h, "root %s\n", root)
	for _, list := range [][]string{c.Files, accountFiles} {
		fmt.Fprintf(h, "files %q\n", list)
		for e := range selected(composed, list) {
			fmt.Fprintf(h, "%q %s %o %d %d %s %q\n", e.Path, e.Type, e.Mode, e.UID, e.GID, e.Digest, e.Target)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Failed makes the error of a check that did not succeed.
func (c Check) Failed(m *machine.Machine, output string) error {
	return &CheckError{Machine: m.Name, Check: c.Name, Output: strings.TrimSpace(output), Files: c.blamed(m, output)}
}

// blamed are the declared files that a checker's words name. When they name
// none, it is those that it reads.
func (c Check) blamed(m *machine.Machine, output string) []string {
	var named, read []string
	add := func(name string, mentioned bool) {
		if mentioned {
			named = append(named, name)
		}
		if c.reads(name) {
			read = append(read, name)
		}
	}
	for _, name := range sortedKeys(m.Files) {
		add(name, mentions(output, name))
	}
	for _, name := range sortedKeys(m.Units) { // systemd names some by their path
		if at := etcUnits + name; m.Units[name].Text != "" {
			add(at, mentions(output, at) || mentions(output, name))
		}
	}
	if len(named) > 0 {
		return named
	}
	return read
}

// reads says whether one of the files that a check names is, or has, this one.
func (c Check) reads(name string) bool {
	return slices.ContainsFunc(c.Files, func(of string) bool {
		return of == name || strings.HasSuffix(of, "/") && strings.HasPrefix(name, of)
	})
}

// mentions says whether a text has a path that does not go on: /etc/a is not in
// "/etc/a.d/b", but in "/etc/a: no such user".
func mentions(text, name string) bool {
	ends := regexp.MustCompile(regexp.QuoteMeta(name) + `[.]*([^A-Za-z0-9/_~+.-]|$)`)
	return ends.MatchString(text)
}

// CheckError says that a check of a system that is being built did not succeed.
type CheckError struct {
	Machine string
	Check   string
	Output  string   // what the checker said, as far as it is kept
	Files   []string // declared files that it is about, as far as is known
}

// Error implements error.
func (e *CheckError) Error() string {
	text := fmt.Sprintf("machine %s: the check %q fails", e.Machine, e.Check)
	if e.Output != "" {
		text += ":\n" + e.Output
	}
	return text
}
