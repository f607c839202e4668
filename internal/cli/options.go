package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/config"
	"stet/internal/option"
	"stet/internal/term"
)

// optionItem is one option of `stet options --json`.
type optionItem struct {
	Path    string           `json:"path"`
	Type    string           `json:"type"`
	Doc     string           `json:"doc,omitempty"`
	Default string           `json:"default,omitempty"`
	Example string           `json:"example,omitempty"`
	Place   string           `json:"place"` // of its declaration
	Set     []config.Setting `json:"set,omitempty"`
}

// mostExplained is how many options are told in full; of more there is a list.
const mostExplained = 8

func newOptions(a *app) *cobra.Command {
	var machine string
	var markdown, jsonSchema bool
	cmd := &cobra.Command{
		Use:   "options [WORD]…",
		Short: "Explain what can be declared",
		Long: `Search the names and the descriptions of all options, those of the
repository's own modules too, and explain what is found: type, default, example,
and what sets it in a machine, and where. A whole name, such as users.NAME, gives
that option and those below it. Of more than a few there is a list; -v tells all.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.repository()
			if err != nil && a.dir != "" {
				return err
			}
			if err != nil {
				dir = "" // what is built in can be read everywhere
			}
			root, err := config.Options(dir)
			if err != nil {
				return err
			}
			switch {
			case markdown:
				return option.Page(a.Stdout, root)
			case jsonSchema:
				text, err := option.JSONSchema(root)
				if err == nil {
					_, err = fmt.Fprintf(a.Stdout, "%s\n", text)
				}
				return err
			}
			found := option.Find(root, args)
			if len(found) == 0 {
				remedy := "`stet options` lists all"
				if near := option.Near(root, args[len(args)-1]); near != "" {
					remedy = fmt.Sprintf("did you mean %q?", near)
				}
				return wrongInput(fmt.Errorf("no option has to do with %s", strings.Join(args, " ")), remedy)
			}
			explain := a.json || a.verbose || len(found) <= mostExplained
			var items []optionItem
			c, machine, err := a.settingsOf(cmd, dir, machine)
			if err != nil {
				return err
			}
			for _, p := range found {
				o := p.Last()
				item := optionItem{Path: p.String(), Type: o.Type, Doc: o.Doc, Default: o.Value(), Example: p.Snippet(), Place: o.Place}
				if c != nil && explain {
					item.Set = c.Settings(machine, p)
				}
				items = append(items, item)
			}
			if a.json {
				return a.printJSON(items)
			}
			if explain {
				a.explainOptions(items, machine)
				return nil
			}
			var rows [][]string
			for i, p := range found {
				rows = append(rows, []string{items[i].Path, p.Last().Sentence()})
			}
			term.Table(a.Stdout, rows)
			return nil
		},
	}
	cmd.Flags().StringVar(&machine, "machine", "", "the machine to look into, where there are several")
	cmd.Flags().BoolVar(&markdown, "markdown", false, "print all options as a page of Markdown")
	cmd.Flags().BoolVar(&jsonSchema, "json-schema", false, "print a JSON Schema of stet.yaml, for editors")
	return cmd
}

// settingsOf gives the machine whose settings are told: the named one, or the
// only one. A configuration that is wrong has none to tell.
func (a *app) settingsOf(cmd *cobra.Command, dir, name string) (*config.Configuration, string, error) {
	if dir == "" {
		return nil, "", nil
	}
	c, err := a.evaluate(cmd.Context(), dir)
	if err != nil {
		a.term.Note("what the configuration sets is not told: it is wrong (`stet check`)")
		return nil, "", nil
	}
	if name == "" && len(c.Names()) != 1 {
		return nil, "", nil
	}
	m, err := c.Machine(name)
	if err != nil {
		return nil, "", wrongInput(err, "")
	}
	return c, m.Name, nil
}

func (a *app) explainOptions(items []optionItem, machine string) {
	const most = 5
	for i, o := range items {
		if i > 0 {
			fmt.Fprintln(a.Stdout)
		}
		fmt.Fprintf(a.Stdout, "%s: %s\n", o.Path, o.Type)
		if o.Doc != "" {
			fmt.Fprintf(a.Stdout, "  %s\n", o.Doc)
		}
		var rows [][]string
		if o.Default != "" {
			rows = append(rows, []string{"  default", o.Default})
		}
		if o.Example != "" {
			rows = append(rows, []string{"  example", o.Example})
		}
		for i, s := range o.Set {
			if i == most {
				rows = append(rows, []string{"  …", fmt.Sprintf("and %d more", len(o.Set)-most)})
				break
			}
			rows = append(rows, []string{"  " + machine, fmt.Sprintf("%s: %s (%s)", s.Path, short(s.Value), s.Place)})
		}
		term.Table(a.Stdout, rows)
	}
}

// short cuts a value to what is told beside others.
func short(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
