package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"stet/internal/config"
	"stet/internal/graph"
	"stet/internal/machine"
	"stet/internal/progress"
	"stet/internal/term"
)

// installedRepository is where a machine keeps its own repository.
const installedRepository = "/stet/repository"

// app is what every command shares: the environment and the global flags.
type app struct {
	Environment
	args []string // of the command line
	term *term.Terminal

	dir     string // -C
	json    bool   // --json
	verbose bool   // -v

	committed bool // --committed, of commands that build

	printed bool // the one document of --json is out

	again *twice // set in the process that is the second build of --twice

	observed *observed // of commands that are asked what they did
}

// Run runs one command line and gives its exit code.
func Run(ctx context.Context, env Environment, args []string) int {
	a := &app{Environment: env, args: args, term: term.New(env.Stderr, env.Getenv)}
	root := a.command()
	root.SetArgs(args)
	return a.fail(root.ExecuteContext(ctx))
}

// command is the root with all commands below it.
func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "stet",
		Short:         "Debian machines that are exactly what their repository says",
		Version:       Version,
		SilenceErrors: true,
		SilenceUsage:  true,

		SuggestionsMinimumDistance: 2,

		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.SetVersionTemplate("stet {{.Version}}\n")
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return wrongInput(err, fmt.Sprintf("`%s --help` lists the flags", cmd.CommandPath()))
	})
	flags := root.PersistentFlags()
	flags.StringVarP(&a.dir, "directory", "C", "", "the repository, instead of the nearest parent with a configuration")
	flags.BoolVar(&a.json, "json", false, "print one JSON document on stdout")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "say more on stderr")
	root.CompletionOptions.HiddenDefaultCmd = true

	root.AddCommand(
		newInit(a),
		newCheck(a),
		newShow(a),
		newOptions(a),
		newWhy(a),
		newLock(a),
		newUpdate(a),
		newAdd(a),
		newRemove(a),
		newFetch(a),
		newBuild(a),
		newStatus(a),
		newDrift(a),
		newUndo(a),
		newAdopt(a),
		newState(a),
		newAssess(a),
		newVM(a),
		newTest(a),
		newShell(a),
		newPlan(a),
		newSwitch(a),
		newTry(a),
		newConfirm(a),
		newCarryOut(a),
		newBoot(a),
		newRollback(a),
		newSend(a),
		newReceive(a),
		newGenerations(a),
		newPin(a),
		newRecover(a),
		newDiff(a),
		newGC(a),
		newImage(a),
		newInstall(a),
		newVerify(a),
		newVersion(a),
		newManual(a),
	)
	a.complete(root)
	for _, command := range root.Commands() {
		command.Args = argumentsChecked(command.Args)
	}
	root.Args = argumentsChecked(unknownCommand)
	return root
}

// unknownCommand replaces cobra's own words for a command that there is not.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	remedy := "`stet --help` lists the commands"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		remedy = fmt.Sprintf("did you mean %q?", near[0])
	}
	return wrongInput(fmt.Errorf("unknown command %q", args[0]), remedy)
}

// argumentsChecked makes wrong arguments wrong input.
func argumentsChecked(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check == nil {
			return nil
		}
		err := check(cmd, args)
		if _, isFailure := err.(*Failure); err == nil || isFailure {
			return err
		}
		return wrongInput(err, "usage: "+cmd.UseLine())
	}
}

// repository is the directory of the configuration: -C, else the nearest
// parent with one, else the machine's own.
func (a *app) repository() (string, error) {
	if a.dir != "" {
		dir := a.dir
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(a.Dir, dir)
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return "", wrongInput(fmt.Errorf("%s is not a directory", a.dir), "")
		}
		return dir, nil
	}
	for dir := a.Dir; ; dir = filepath.Dir(dir) {
		if config.Has(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if config.Has(installedRepository) {
		return installedRepository, nil
	}
	return "", wrongInput(fmt.Errorf("no configuration in %s or above it", a.Dir), "`stet init` writes one to begin with; -C names another directory")
}

// load finds and evaluates the configuration.
func (a *app) load(ctx context.Context) (*config.Configuration, error) {
	dir, err := a.repository()
	if err != nil {
		return nil, err
	}
	return a.evaluate(ctx, dir)
}

// evaluate evaluates the configuration in dir, or recalls what it came to.
func (a *app) evaluate(ctx context.Context, dir string) (*config.Configuration, error) {
	var loader config.Loader
	if memory := a.evaluations(); memory != nil {
		loader.Memory = memory
	}
	ended := a.observed.observer().Begin(graph.Step{Stage: graph.Evaluate})
	c, err := loader.Load(ctx, dir)
	if err == nil {
		ended(graph.Outcome{})
	}
	return c, err
}

// machine loads the configuration and picks the machine that args name, or
// the only one.
func (a *app) machine(ctx context.Context, args []string) (*config.Configuration, *machine.Machine, error) {
	c, err := a.load(ctx)
	if err != nil {
		return nil, nil, err
	}
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	m, err := c.Machine(name)
	if err != nil {
		return nil, nil, wrongInput(err, "")
	}
	return c, m, nil
}

// progress shows work on stderr until the returned function is called.
func (a *app) progress() (progress.Func, func()) {
	p := a.term.Progress(a.Now)
	return p.Event, p.Close
}

// printJSON writes the one document of --json.
func (a *app) printJSON(v any) error {
	a.printed = true
	encoder := json.NewEncoder(a.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
