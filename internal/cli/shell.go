package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"stet/internal/build"
	"stet/internal/sandbox"
)

func newShell(a *app) *cobra.Command {
	var o throwawayOptions
	cmd := &cobra.Command{
		Use:   "shell [MACHINE | -p PACKAGE…] [-- COMMAND…]",
		Short: "A shell inside the built system, or among a few packages",
		Long: `Build a machine and open a shell, or run a command, among its files: in
namespaces of their own, without booting it and without a network. What is
written there is gone afterwards; /usr cannot be written.

With -p, the files are those of the named packages, what they depend on and what
is Essential, in the versions of the repository's lock. What the lock does not
have is resolved once as ` + "`stet lock`" + ` would, and remembered; stet.lock stays as
it is. Without a repository everything is, from Debian trixie.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			names, command := args, []string{"/bin/bash", "--login"}
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				names = args[:dash]
				if dash < len(args) {
					command = args[dash:]
				}
			}
			if len(o.packages) > 0 {
				o.packages = append(o.packages, names...)
				return a.throwawayShell(cmd.Context(), o, command)
			}
			if o.update || len(o.flag.urls) > 0 {
				return wrongInput(errors.New("--update and --mirror are for packages"), "name them after -p")
			}
			if len(names) > 1 {
				return wrongInput(fmt.Errorf("one machine, not %d", len(names)), "a command follows after \"--\"; packages follow after -p")
			}
			return a.shell(cmd.Context(), names, command)
		},
	}
	cmd.Flags().StringArrayVarP(&o.packages, "package", "p", nil, "a package of a throw-away system; more may follow")
	cmd.Flags().BoolVar(&o.update, "update", false, "resolve the packages of -p again")
	cmd.Flags().StringArrayVar(&o.flag.urls, "mirror", nil, "base URL of a mirror; may be given more than once")
	return cmd
}

func (a *app) shell(ctx context.Context, machine, command []string) (err error) {
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close()
	built, err := a.build(ctx, s, machine)
	if err != nil {
		return err
	}
	shell, err := built.builder.Shell(built.Manifest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, shell.Close()) }()
	return a.inShell(ctx, shell, command)
}

// inShell runs a command in a shell's root, with this terminal.
func (a *app) inShell(ctx context.Context, shell *build.Shell, command []string) error {
	in, isFile := a.Stdin.(*os.File)
	terminal := isFile && term.IsTerminal(int(in.Fd()))
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash",
	}
	for _, name := range []string{"TERM", "NO_COLOR"} {
		if value := a.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	err := sandbox.Run(ctx, sandbox.Spec{
		Root: shell.Root, Argv: command, Env: env, Dir: "/root", AllCPUs: true, Terminal: terminal,
		Stdin: a.Stdin, Stdout: a.Stdout, Stderr: a.Stderr,
	})
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &Failure{Code: exit.ExitCode()}
	}
	return err
}
