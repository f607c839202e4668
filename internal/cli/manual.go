package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newManual makes the man pages of all commands; `make install` runs it.
func newManual(a *app) *cobra.Command {
	return &cobra.Command{
		Use:    "manual DIR",
		Short:  "Write the man pages of all commands",
		Long:   "Write stet(1) and a page for each command into DIR.",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := absolute(a.Dir, args[0])
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("make the directory of the man pages: %w", err)
			}
			for _, c := range described(cmd.Root()) {
				name := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")
				if err := os.WriteFile(name, manualPage(c), 0o644); err != nil {
					return fmt.Errorf("write a man page: %w", err)
				}
			}
			return nil
		},
	}
}

// described are the commands that have a page: one and those below it.
func described(c *cobra.Command) []*cobra.Command {
	if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
		return nil
	}
	all := []*cobra.Command{c}
	for _, child := range c.Commands() {
		all = append(all, described(child)...)
	}
	return all
}

// manualPage writes the page of a command in man(7). It has no date: the same
// program makes the same page.
func manualPage(c *cobra.Command) []byte {
	var b bytes.Buffer
	title := strings.ReplaceAll(c.CommandPath(), " ", "-")
	fmt.Fprintf(&b, ".TH %s 1 \"\" \"Stet %s\" \"Stet\"\n", strings.ToUpper(title), roff(Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(title), roff(lowerFirst(c.Short)))
	b.WriteString(".SH SYNOPSIS\n")
	usage := strings.TrimPrefix(c.UseLine(), c.CommandPath())
	if !c.HasParent() {
		usage = " [-C DIR] [--json] [-v] COMMAND [MACHINE] …"
	}
	fmt.Fprintf(&b, ".B %s\n%s\n", roff(c.CommandPath()), roff(strings.TrimSpace(usage)))
	b.WriteString(".SH DESCRIPTION\n")
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		b.WriteString(roff(paragraph) + "\n")
	}
	if c.HasSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range c.Commands() {
			if !sub.Hidden && sub.Name() != "help" && sub.Name() != "completion" {
				fmt.Fprintf(&b, ".TP\n.BR %s (1)\n%s\n", roff(strings.ReplaceAll(sub.CommandPath(), " ", "-")), roff(sub.Short))
			}
		}
	}
	flags := func(heading string, set *pflag.FlagSet) {
		if !set.HasAvailableFlags() {
			return
		}
		fmt.Fprintf(&b, ".SH %s\n", heading)
		set.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				b.WriteString(manualFlag(f))
			}
		})
	}
	if c.HasParent() {
		flags("OPTIONS", c.NonInheritedFlags())
		flags("GLOBAL OPTIONS", c.InheritedFlags())
	} else {
		flags("OPTIONS", c.PersistentFlags())
		b.WriteString(manualEnd)
	}
	if c.HasParent() {
		b.WriteString(".SH SEE ALSO\n.BR stet (1)\n")
	}
	return b.Bytes()
}

func manualFlag(f *pflag.Flag) string {
	value, usage := pflag.UnquoteUsage(f)
	name := `\-\-` + roff(f.Name)
	if f.Shorthand != "" {
		name = `\-` + roff(f.Shorthand) + ", " + name
	}
	text := ".TP\n.B " + name
	if value != "" {
		text += " " + roff(strings.ToUpper(value))
	}
	text += "\n" + roff(usage)
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" && f.DefValue != "0" {
		text += " (default " + roff(f.DefValue) + ")"
	}
	return text + "\n"
}

// manualEnd is what the page of the whole has at its end.
const manualEnd = `.SH ENVIRONMENT
.TP
.B STET_STORE
The store. By default /stet on a machine that Stet runs, elsewhere stet in the
user's cache.
.TP
.B STET_MIRROR
The base URL of a mirror to fetch from.
.TP
.B NO_COLOR
When set, no colors.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
Failed; nothing changed.
.TP
.B 2
The input is wrong.
.TP
.B 3
Differences were found, or a decision is needed.
.TP
.B 4
Activated, found unhealthy, and went back.
`

// roff keeps text from being read as requests and escapes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", "", "…", "...").Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
