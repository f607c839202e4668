package cli

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/config"
)

// starter is the configuration that `stet init` writes; NAME is replaced.
//
//go:embed starter.yaml
var starter string

func newInit(a *app) *cobra.Command {
	var detect bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a new configuration",
		Long: `Write a small commented stet.yaml into DIR (default: the current directory),
and make DIR a git repository when it is not in one. Nothing is overwritten.

With --detect, it has what this machine's hardware needs: drivers of the disks,
firmware, microcode.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := a.Dir
			if a.dir != "" {
				dir = absolute(a.Dir, a.dir)
			}
			if len(args) > 0 {
				dir = absolute(dir, args[0])
			}
			text := starter
			if detect {
				found, err := detectHardware()
				if err != nil {
					return err
				}
				text = withHardware(text, found)
			}
			report, err := initialise(cmd.Context(), dir, text)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(report)
			}
			fmt.Fprintf(a.Stdout, "wrote %s\n", filepath.Join(report.Directory, config.FileName))
			if report.Git {
				fmt.Fprintf(a.Stdout, "made %s a git repository\n", report.Directory)
			} else if !report.InRepository {
				a.term.Note("git is not installed: the configuration is not under version control yet")
			}
			fmt.Fprintln(a.Stdout, "next: `stet check`, then `stet lock`")
			return nil
		},
	}
	cmd.Flags().BoolVar(&detect, "detect", false, "look at this machine's hardware")
	return cmd
}

// initReport is what `stet init --json` prints.
type initReport struct {
	Directory    string `json:"directory"`
	Machine      string `json:"machine"`
	Git          bool   `json:"git"`           // a repository was made
	InRepository bool   `json:"in_repository"` // there is one now
}

func absolute(base, dir string) string {
	if filepath.IsAbs(dir) {
		return filepath.Clean(dir)
	}
	return filepath.Join(base, dir)
}

// initialise writes the text of a configuration and makes a repository round it.
func initialise(ctx context.Context, dir, text string) (initReport, error) {
	report := initReport{Directory: dir, Machine: machineName(dir)}
	if config.Has(dir) {
		return report, wrongInput(fmt.Errorf("%s has a configuration already", dir), "`stet check` evaluates it; nothing was changed")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return report, fmt.Errorf("make the repository's directory: %w", err)
	}
	name := filepath.Join(dir, config.FileName)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return report, wrongInput(fmt.Errorf("%s exists already", name), "nothing was changed")
	}
	if err != nil {
		return report, fmt.Errorf("write the configuration: %w", err)
	}
	_, err = file.WriteString(strings.ReplaceAll(text, "NAME", report.Machine))
	if err := errors.Join(err, file.Close()); err != nil {
		return report, errors.Join(fmt.Errorf("write the configuration: %w", err), os.Remove(name))
	}
	git, err := exec.LookPath("git")
	if err != nil {
		report.InRepository = inRepository(dir)
		return report, nil
	}
	report.InRepository = exec.CommandContext(ctx, git, "-C", dir, "rev-parse", "--git-dir").Run() == nil
	if !report.InRepository {
		if out, err := exec.CommandContext(ctx, git, "init", "--quiet", "--initial-branch=main", dir).CombinedOutput(); err != nil {
			err = fmt.Errorf("git init %s: %w: %s", dir, err, strings.TrimSpace(string(out)))
			return report, errors.Join(err, os.Remove(name))
		}
		report.Git, report.InRepository = true, true
	}
	return report, nil
}

// inRepository looks for .git without the help of git.
func inRepository(dir string) bool {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// machineName makes a machine's name of its directory's.
func machineName(dir string) string {
	name := notInName.ReplaceAllString(strings.ToLower(filepath.Base(dir)), "-")
	if len(name) > 63 {
		name = name[:63]
	}
	if name = strings.Trim(name, "-"); name == "" {
		return "machine"
	}
	return name
}
