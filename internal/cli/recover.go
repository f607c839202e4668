package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"stet/internal/generation"
	"stet/internal/gpt"
	"stet/internal/mount"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/term"
)

// recoverReport is what `stet recover --json` prints.
type recoverReport struct {
	Generations []recoveredGeneration `json:"generations"`
	Damaged     []damagedReport       `json:"damaged,omitempty"`
	Directory   string                `json:"directory,omitempty"`  // where the repository is now
	Generation  int                   `json:"generation,omitempty"` // whose it is
	Commit      string                `json:"commit,omitempty"`
}

type recoveredGeneration struct {
	generation.Record
	Good   bool   `json:"good"`
	Failed string `json:"failed,omitempty"`
	Whole  bool   `json:"whole"` // its repository is there, and is what the record says
}

func newRecover(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "recover DISK [DIR]",
		Short: "Get the repository back from a disk alone",
		Long: `Look for the store of a machine on DISK: a disk, a partition, a raw image of either,
or a directory where it is mounted. List the generations there are, and make DIR a
clone of the repository, as the newest generation that is known to work was built
from. The disk is only read, and its journal is left as it is.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			to := ""
			if len(args) > 1 {
				to = absolute(a.Dir, args[1])
				if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
					return wrongInput(fmt.Errorf("%s is there already", args[1]), "name a directory that does not exist yet")
				}
			}
			var report *recoverReport
			err := withStore(absolute(a.Dir, args[0]), func(dir string) (err error) {
				report, err = recoverFrom(cmd.Context(), dir, to)
				return err
			})
			if err != nil {
				return needRoot(err)
			}
			if a.json {
				return a.printJSON(report)
			}
			a.printRecovered(report)
			return nil
		},
	}
}

// withStore shows the store of a disk as a directory while use runs. The mount is
// in a mount namespace of its own, which ends with it.
func withStore(disk string, use func(dir string) error) error {
	info, err := os.Stat(disk)
	if err != nil {
		return wrongInput(err, "")
	}
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(disk, "format.json")); err != nil {
			return wrongInput(fmt.Errorf("%s has no store", disk), "name the directory that has format.json")
		}
		return use(disk)
	}
	offset, size, err := storePart(disk)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return &Failure{Code: ExitFailed, Err: errors.New("only root mounts a disk"), Remedy: "run it as root"}
	}
	failed := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread keeps the namespace, and ends with this
		failed <- inMount(disk, offset, size, use)
	}()
	return <-failed
}

func inMount(disk string, offset, size int64, use func(dir string) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := mount.MakePrivate("/"); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "stet-recover-*")
	if err != nil {
		return err
	}
	defer os.Remove(dir)
	if err := mount.Part(disk, offset, size, "ext4", dir, "noload"); err != nil {
		return err
	}
	defer func() { _ = mount.Detach(dir) }()
	return use(dir)
}

// storePart finds the partition of a disk that has the store; all of it, when the
// disk has no partitions.
func storePart(disk string) (offset, size int64, err error) {
	file, err := os.Open(disk)
	if err != nil {
		return 0, 0, needRoot(err)
	}
	defer file.Close()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, fmt.Errorf("read %s: %w", disk, err)
	}
	magic := make([]byte, 4)
	if _, err := file.ReadAt(magic, 0); err == nil && string(magic) == "QFI\xfb" {
		return 0, 0, wrongInput(fmt.Errorf("%s is a qcow2 image", disk), "`qemu-img convert -O raw` makes a raw one of it")
	}
	if _, err := file.ReadAt(magic[:2], 1024+56); err == nil && magic[0] == 0x53 && magic[1] == 0xef {
		return 0, 0, nil // the superblock of ext4 is here (ext4(5))
	}
	table, err := gpt.Read(file, end)
	if err != nil {
		return 0, 0, wrongInput(fmt.Errorf("%s has neither a partition table nor a file system of Stet: %w", disk, err), "")
	}
	for _, p := range table.Partitions {
		if p.Type == gpt.Store {
			return p.Start, p.Size, nil
		}
	}
	return 0, 0, wrongInput(fmt.Errorf("%s has no partition with a store", disk), "")
}

// recoverFrom lists what is there, and clones the repository of the best.
func recoverFrom(ctx context.Context, dir, to string) (*recoverReport, error) {
	s, err := store.OpenReadOnly(dir)
	if err != nil {
		return nil, err
	}
	history, err := generation.In(dir).List()
	if err != nil {
		return nil, err
	}
	report := &recoverReport{Generations: []recoveredGeneration{}}
	for _, g := range history.Generations {
		whole := !g.Bundle.IsZero() && store.Check(s.ObjectPath(g.Bundle), g.Bundle) == nil
		report.Generations = append(report.Generations, recoveredGeneration{g.Record, g.Good, g.Failed, whole})
	}
	for _, d := range history.Damaged {
		report.Damaged = append(report.Damaged, damagedReport{d.Number, d.Err.Error()})
	}
	if to == "" {
		return report, nil
	}
	best, ok := newest(report.Generations)
	if !ok {
		return nil, &Failure{Code: ExitFailed, Err: errors.New("no generation there has a repository that is whole"), Remedy: "without DIR, the generations are listed"}
	}
	if err := source.Clone(ctx, s.ObjectPath(best.Bundle), to); err != nil {
		return nil, err
	}
	report.Directory, report.Generation, report.Commit = to, best.Number, best.ID
	return report, nil
}

// newest is the newest generation with a whole repository that is known to work,
// else the newest with one.
func newest(all []recoveredGeneration) (best recoveredGeneration, ok bool) {
	for _, g := range slices.Backward(all) {
		works := g.Good && g.Failed == ""
		if g.Whole && (!ok || works) {
			best, ok = g, true
		}
		if ok && works && g.Whole {
			break
		}
	}
	return best, ok
}

func (a *app) printRecovered(r *recoverReport) {
	rows := [][]string{{"number", "date", "commit", "subject", "repository"}}
	for _, g := range r.Generations {
		rows = append(rows, []string{
			fmt.Sprint(g.Number), g.Date.Local().Format("2006-01-02 15:04"), g.ID[:min(10, len(g.ID))], shortened(g.Subject, 40),
			map[bool]string{true: "whole", false: "-"}[g.Whole],
		})
	}
	if len(r.Generations) > 0 {
		term.Table(a.Stdout, rows)
	}
	for _, d := range r.Damaged {
		a.term.Note(fmt.Sprintf("generation %d is damaged: %s", d.Number, d.Problem))
	}
	if r.Directory != "" {
		fmt.Fprintf(a.Stdout, "%s is the repository of generation %d, at commit %.10s\n", r.Directory, r.Generation, r.Commit)
	}
}
