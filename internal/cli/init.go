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
	"stet/internal/source"
)

// starter is the configuration that `stet init` writes; NAME is replaced.
//
//go:embed starter.yaml
var starter string

func newInit(a *app) *cobra.Command {
	var cue, detect bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a new configuration",
		Long: `Write a small commented stet.yaml into DIR (default: the current directory),
and make DIR a git repository when it is not in one. Nothing is overwritten.

With --cue, turn the stet.yaml that is in DIR into a CUE file which declares the
same machine with the same comments; without one, begin in CUE.

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
			if cue {
				if _, err := os.Stat(filepath.Join(dir, config.FileName)); err == nil {
					return a.rewrite(cmd.Context(), dir)
				}
			}
			text := starter
			if detect {
				found, err := detectHardware()
				if err != nil {
					return err
				}
				text = withHardware(text, found)
			}
			report, err := initialise(cmd.Context(), dir, text, cue)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(report)
			}
			fmt.Fprintf(a.Stdout, "wrote %s\n", filepath.Join(report.Directory, report.File))
			if report.Git {
				fmt.Fprintf(a.Stdout, "made %s a git repository\n", report.Directory)
			} else if !report.InRepository {
				a.term.Note("git is not installed: the configuration is not under version control yet")
			}
			fmt.Fprintln(a.Stdout, "next: `stet check`, then `stet lock`")
			return nil
		},
	}
	cmd.Flags().BoolVar(&cue, "cue", false, "write CUE; a stet.yaml that is there is turned into it")
	cmd.Flags().BoolVar(&detect, "detect", false, "look at this machine's hardware")
	return cmd
}

// initReport is what `stet init --json` prints.
type initReport struct {
	Directory    string `json:"directory"`
	File         string `json:"file"` // in it
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
func initialise(ctx context.Context, dir, starter string, cue bool) (initReport, error) {
	report := initReport{Directory: dir, File: config.FileName, Machine: machineName(dir)}
	if config.Has(dir) {
		return report, wrongInput(fmt.Errorf("%s has a configuration already", dir), "`stet check` evaluates it; nothing was changed")
	}
	text := []byte(strings.ReplaceAll(starter, "NAME", report.Machine))
	if cue {
		var err error
		if text, err = inCUE(ctx, text); err != nil {
			return report, err
		}
		report.File = report.Machine + ".cue"
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return report, fmt.Errorf("make the repository's directory: %w", err)
	}
	name := filepath.Join(dir, report.File)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return report, wrongInput(fmt.Errorf("%s exists already", name), "nothing was changed")
	}
	if err != nil {
		return report, fmt.Errorf("write the configuration: %w", err)
	}
	_, err = file.Write(text)
	if err := errors.Join(err, file.Close()); err != nil {
		return report, errors.Join(fmt.Errorf("write the configuration: %w", err), os.Remove(name))
	}
	if report.InRepository, err = source.InRepository(ctx, dir); errors.Is(err, exec.ErrNotFound) {
		report.InRepository = hasRepository(dir)
		return report, nil
	}
	if err == nil && !report.InRepository {
		err = source.Init(ctx, dir)
		report.Git, report.InRepository = err == nil, err == nil
	}
	if err != nil {
		return report, errors.Join(err, os.Remove(name))
	}
	return report, nil
}

// inCUE is the starter in CUE.
func inCUE(ctx context.Context, yaml []byte) (text []byte, err error) {
	dir, err := os.MkdirTemp("", "stet-init-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, config.FileName), yaml, 0o600); err != nil {
		return nil, err
	}
	text, _, err = config.Rewrite(ctx, dir)
	return text, err
}

// rewriteReport is what `stet init --cue --json` prints of a stet.yaml that was
// there.
type rewriteReport struct {
	Directory string `json:"directory"`
	Machine   string `json:"machine"`
	File      string `json:"file"`           // which declares it now
	Kept      string `json:"kept,omitempty"` // the old text, where no commit has it
}

// rewrite turns stet.yaml into CUE. The old text stays, unless git has it.
func (a *app) rewrite(ctx context.Context, dir string) error {
	text, machine, err := config.Rewrite(ctx, dir)
	if err != nil {
		return err
	}
	report := rewriteReport{Directory: dir, Machine: machine, File: machine + ".cue"}
	old, name := filepath.Join(dir, config.FileName), filepath.Join(dir, report.File)
	kept := old + ".old"
	for _, there := range []string{name, kept} {
		if _, err := os.Lstat(there); err == nil {
			return wrongInput(fmt.Errorf("%s exists already", there), "nothing was changed: move it away first")
		}
	}
	committed, err := source.Committed(ctx, dir, config.FileName)
	if err != nil {
		return err
	}
	// With both files there would be two machines of one name: the old one goes
	// first, and comes back when the new one cannot be written.
	if err := os.Rename(old, kept); err != nil {
		return fmt.Errorf("move the old configuration away: %w", err)
	}
	if err := writeNew(name, text); err != nil {
		return errors.Join(fmt.Errorf("write the configuration: %w", err), os.Rename(kept, old))
	}
	if committed {
		if err := os.Remove(kept); err != nil {
			return fmt.Errorf("remove the old configuration: %w", err)
		}
	} else {
		report.Kept = config.FileName + ".old"
	}
	if a.json {
		return a.printJSON(report)
	}
	fmt.Fprintf(a.Stdout, "%s declares %s now, the same machine\n", name, machine)
	if report.Kept != "" {
		fmt.Fprintf(a.Stdout, "no commit has the old text: it is %s\n", kept)
	}
	return nil
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(name string, text []byte) error {
	temp, err := os.CreateTemp(filepath.Dir(name), ".stet-init-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Link(temp.Name(), name)
	}
	return errors.Join(err, os.Remove(temp.Name()))
}

// hasRepository looks for .git without the help of git.
func hasRepository(dir string) bool {
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
