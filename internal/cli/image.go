package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/disk"
	"stet/internal/graph"
	"stet/internal/lock"
	"stet/internal/machine"
	"stet/internal/source"
	"stet/internal/store"
	"stet/internal/term"
)

// imageReport is what `stet image --json` prints.
type imageReport struct {
	Machine string      `json:"machine"`
	Digest  string      `json:"digest"` // of the system
	Image   string      `json:"image"`  // path
	Format  disk.Format `json:"format"`
	Size    int64       `json:"size"`   // of the disk, in bytes
	Bytes   int64       `json:"bytes"`  // that the file takes
	Reused  bool        `json:"reused"` // nothing was to do
	Seconds float64     `json:"seconds"`

	Explain []graph.Node `json:"explain,omitempty"` // docs/formats/graph.md
}

func newImage(a *app) *cobra.Command {
	var output, format string
	var explain bool
	cmd := &cobra.Command{
		Use:   "image [MACHINE]",
		Short: "Make a bootable disk image of a machine",
		Long: `Build a machine and make the image of a disk that boots it, on hardware with UEFI
or in a virtual machine. How large its parts are is declared under "disk". The
same system, commit and Stet give the same image, to the byte.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != string(disk.Raw) && format != string(disk.Qcow2) {
				return wrongInput(fmt.Errorf("%q is no format of an image", format), "--format takes raw or qcow2")
			}
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			if explain {
				a.observe()
			}
			return a.image(cmd.Context(), s, args, output, disk.Format(format), explain)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the image's path; by default MACHINE.FORMAT in this directory")
	cmd.Flags().BoolVar(&explain, "explain", false, "say of each stage whether it was reused or made, and why")
	cmd.Flags().StringVar(&format, "format", string(disk.Raw), "raw or qcow2")
	return a.traced(cmd)
}

func (a *app) image(ctx context.Context, s *store.Store, args []string, output string, format disk.Format, explained bool) error {
	begin := a.Now()
	built, err := a.build(ctx, s, args)
	if err != nil {
		return err
	}
	layout, err := layoutOf(built.machine())
	if err != nil {
		return err
	}
	if output == "" {
		output = built.Manifest.Machine + "." + string(format)
	}
	if !filepath.IsAbs(output) {
		output = filepath.Join(a.Dir, output)
	}
	if info, err := os.Stat(output); err == nil && !info.Mode().IsRegular() {
		return wrongInput(fmt.Errorf("%s is not a file", output), "`stet install` writes to a disk")
	}
	first, err := built.first()
	if err != nil {
		return err
	}
	report, done := a.progress()
	built.builder.Report = report
	reused, err := built.builder.Image(ctx, built.System, built.lock, first, layout, format, output)
	done()
	if err != nil {
		return explain(err)
	}
	r := imageReport{
		Machine: built.Manifest.Machine, Digest: built.Digest, Image: output, Format: format,
		Size: layout.Size, Bytes: takes(output), Reused: reused, Seconds: a.Now().Sub(begin).Seconds(),
	}
	if explained {
		if r.Explain, err = a.explained(s, built); err != nil {
			return err
		}
	}
	if a.json {
		return a.printJSON(r)
	}
	did := ""
	if reused {
		did = "nothing to do "
	}
	fmt.Fprintf(a.Stdout, "%s: a disk of %s, which takes %s, %sin %.2f s\n", output, term.Bytes(r.Size), term.Bytes(r.Bytes), did, r.Seconds)
	a.printGraph(r.Explain)
	return nil
}

// machine is the description that was built.
func (m *builtMachine) machine() *machine.Machine {
	return m.configuration.Machines[m.Manifest.Machine]
}

// first is what the first generation of the machine has beside its system.
func (m *builtMachine) first() (build.First, error) {
	stet, err := os.Executable()
	return build.First{Stet: stet, Provenance: m.provenance, Repository: func(ctx context.Context, dir string) error {
		return source.Checkout(ctx, m.configuration.Dir, m.sources(), dir)
	}}, err
}

// sources are the files of the repository that the machine was built from.
func (m *builtMachine) sources() []string {
	names := append(slices.Clone(m.configuration.Files), lock.FileName)
	for _, f := range m.machine().Files {
		if f.Source != "" {
			names = append(names, f.Source)
		}
	}
	for _, p := range m.machine().Packages {
		if p.Local != nil {
			names = append(names, p.Local.Path)
		}
	}
	return names
}

// layoutOf is the disk that a machine declares.
func layoutOf(m *machine.Machine) (disk.Layout, error) {
	l := disk.Layout{Size: m.Disk.Size, ESP: m.Disk.ESP, Swap: m.Disk.Swap}
	if err := l.Check(); err != nil {
		return l, wrongInput(fmt.Errorf("machine %s: %w", m.Name, err), "")
	}
	return l, nil
}

// takes is what a file takes of its file system, in bytes.
func takes(path string) int64 {
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		return 0
	}
	return stat.Blocks * 512
}
