package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"stet/internal/disk"
	"stet/internal/store"
)

// installReport is what `stet install --json` prints.
type installReport struct {
	Machine string  `json:"machine"`
	Digest  string  `json:"digest"` // of the system
	Disk    string  `json:"disk"`   // the device
	Size    int64   `json:"size"`   // of the disk, in bytes
	Erased  string  `json:"erased,omitempty"`
	Seconds float64 `json:"seconds"`
}

// installation is what `stet install` was told.
type installation struct {
	disk      string
	erase     string
	state     string
	elsewhere bool
}

func newInstall(a *app) *cobra.Command {
	var i installation
	cmd := &cobra.Command{
		Use:   "install DISK [MACHINE]",
		Short: "Install a machine on a disk",
		Long: `Build a machine and write it to a whole disk, as /dev/sda: partitions, boot
loader, store and repository. The machine boots from it by UEFI. A disk that has
anything on it is refused, unless --erase names it again.

With --state, a machine that was lost is made anew: the directory has what was
saved of it (etc, var, home, root, srv, opt), and of etc what the machine
persists is taken: its identity, host keys, passwords.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			i.disk = args[0]
			return a.install(cmd.Context(), i, args[1:])
		},
	}
	cmd.Flags().StringVar(&i.erase, "erase", "", "the disk once more: what is on it is lost")
	cmd.Flags().StringVar(&i.state, "state", "", "a directory with the saved state of the machine")
	cmd.Flags().BoolVar(&i.elsewhere, "elsewhere", false, "the disk is to boot another machine, which has UEFI")
	return a.traced(cmd)
}

// firmware is there when a machine was booted by UEFI.
const firmware = "/sys/firmware/efi"

func (a *app) install(ctx context.Context, i installation, args []string) error {
	begin := a.Now()
	if os.Geteuid() != 0 {
		return wrongInput(errors.New("only root can write to a disk"), "run it as root")
	}
	if _, err := os.Stat(firmware); err != nil && !i.elsewhere {
		return wrongInput(errors.New("this machine was not booted by UEFI, and Stet's disks boot by nothing else"),
			"switch the firmware to UEFI, or say --elsewhere when the disk is for another machine")
	}
	target, err := examine(i)
	if err != nil {
		return err
	}
	if i.state != "" {
		i.state = absolute(a.Dir, i.state)
		if err := disk.CheckSavedState(i.state); err != nil {
			return wrongInput(err, "--state takes a copy of /stet/state, or of a machine's / ")
		}
	}
	s, err := a.openStore()
	if err != nil {
		return err
	}
	defer s.Close()
	r, err := a.installOn(ctx, s, target, i.state, args)
	if err != nil {
		return err
	}
	r.Seconds = a.Now().Sub(begin).Seconds()
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintf(a.Stdout, "%s is on %s, in %.2f s: boot from it\n", r.Machine, r.Disk, r.Seconds)
	return nil
}

func (a *app) installOn(ctx context.Context, s *store.Store, target *disk.Target, state string, args []string) (*installReport, error) {
	built, err := a.build(ctx, s, args)
	if err != nil {
		return nil, err
	}
	first, err := built.first()
	if err != nil {
		return nil, err
	}
	declared := built.machine().Disk
	layout := disk.Layout{Size: target.Size, ESP: declared.ESP, Swap: declared.Swap}
	report, done := a.progress()
	defer done()
	built.builder.Report = report
	if err := built.builder.Install(ctx, built.System, built.lock, first, layout, target, state, a.Now()); err != nil {
		return nil, explain(err)
	}
	return &installReport{Machine: built.Manifest.Machine, Digest: built.Digest, Disk: target.Path, Size: target.Size, Erased: target.Has}, nil
}

// examine looks at the disk that the person named.
func examine(i installation) (*disk.Target, error) {
	target, err := disk.Examine(i.disk)
	var refused *disk.TargetError
	switch {
	case errors.As(err, &refused):
		return nil, wrongInput(refused, refused.Remedy)
	case err != nil:
		return nil, err
	case i.erase != "" && !disk.SameDisk(i.erase, i.disk):
		return nil, wrongInput(fmt.Errorf("--erase names %s, and the disk to install on is %s", i.erase, i.disk), "name the same disk twice")
	case target.Has != "" && i.erase == "":
		return nil, wrongInput(fmt.Errorf("%s has %s", i.disk, target.Has), fmt.Sprintf("`--erase %s` says that it may be lost", i.disk))
	}
	return target, nil
}
