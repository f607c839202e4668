package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/config"
	"stet/internal/option"
)

// complete gives every command the completion that its usage line asks for:
// what stands there in capitals says what an argument is.
func (a *app) complete(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		words := strings.Fields(cmd.Use)[1:]
		if len(words) == 0 || cmd.ValidArgsFunction != nil {
			continue
		}
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, beginning string) ([]cobra.Completion, cobra.ShellCompDirective) {
			at := len(args)
			if last := len(words) - 1; at > last {
				if !strings.HasSuffix(words[last], "…") {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				at = last
			}
			return a.completions(cmd.Context(), strings.Trim(words[at], "[]…"), args, beginning)
		}
		for _, flag := range []struct{ name, what string }{{"machine", "MACHINE"}, {"package", "PACKAGE"}} {
			if cmd.Flags().Lookup(flag.name) == nil {
				continue
			}
			// It fails only for a flag that there is not.
			_ = cmd.RegisterFlagCompletionFunc(flag.name, func(cmd *cobra.Command, args []string, beginning string) ([]cobra.Completion, cobra.ShellCompDirective) {
				return a.completions(cmd.Context(), flag.what, args, beginning)
			})
		}
	}
}

// completions are what an argument can be. Mistakes of any kind give none: a
// shell is no place to tell them.
func (a *app) completions(ctx context.Context, what string, args []string, beginning string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const noFile = cobra.ShellCompDirectiveNoFileComp
	dir, err := a.repository()
	if err != nil && what != "WORD" {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var all []string
	switch what {
	case "MACHINE":
		all = config.Names(dir)
	case "PACKAGE":
		all = a.packageNames(dir)
	case "PATH":
		all = a.pathNames(ctx, dir, args)
	case "WORD":
		all = a.optionNames(dir)
	case "PATH|UNIT|USER|PACKAGE|SYSCTL|PORT|OPTION":
		all = append(a.packageNames(dir), a.declaredNames(ctx, dir)...)
	default:
		return nil, cobra.ShellCompDirectiveDefault
	}
	slices.Sort(all)
	all = slices.DeleteFunc(slices.Compact(all), func(name string) bool { return !strings.HasPrefix(name, beginning) })
	return all, noFile
}

// packageNames are those of the lock.
func (a *app) packageNames(dir string) []string {
	l, err := readLock(dir)
	if err != nil || l == nil {
		return nil
	}
	var names []string
	for _, p := range l.Packages {
		names = append(names, p.Name)
	}
	return names
}

// optionNames are those of the schema and of all modules. They are remembered:
// reading the schema takes most of the time that a person waits for nothing.
func (a *app) optionNames(dir string) []string {
	memory := a.evaluations()
	key := "options-" + config.OptionsDigest(dir)
	if memory != nil {
		if text, ok := memory.Get(key); ok {
			return strings.Split(string(text), "\n")
		}
	}
	root, err := config.Options(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, p := range option.All(root) {
		names = append(names, p.String())
	}
	if memory != nil {
		memory.Put(key, []byte(strings.Join(names, "\n")))
	}
	return names
}

// pathNames are the options that a machine has.
func (a *app) pathNames(ctx context.Context, dir string, args []string) []string {
	c, err := a.evaluate(ctx, dir)
	if err != nil || len(args) == 0 {
		return nil
	}
	var names []string
	for name := range c.Places(args[0]) {
		names = append(names, name)
	}
	return names
}

// declaredNames are the files, units, users and so on of the only machine.
func (a *app) declaredNames(ctx context.Context, dir string) []string {
	c, err := a.evaluate(ctx, dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, m := range c.Machines {
		for name := range m.Files {
			names = append(names, name)
		}
		for name := range m.Units {
			names = append(names, name)
		}
		for name := range m.Users {
			names = append(names, name)
		}
		for name := range m.Sysctl {
			names = append(names, name)
		}
		for name := range m.Packages {
			names = append(names, name)
		}
	}
	return names
}
