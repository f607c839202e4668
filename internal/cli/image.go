package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"stet/internal/build"
	"stet/internal/disk"
	"stet/internal/term"
)

// imageReport is what `stet image --json` prints.
type imageReport struct {
	Machine string  `json:"machine"`
	Digest  string  `json:"digest"`
	Image   string  `json:"image"`  // path
	Format  string  `json:"format"` // raw or qcow2
	Size    int64   `json:"size"`   // of the disk, in bytes
	Bytes   int64   `json:"bytes"`  // that the file takes
	Seconds float64 `json:"seconds"`
}

func newImage(a *app) *cobra.Command {
	var output, format string
	cmd := &cobra.Command{
		Use:   "image [MACHINE]",
		Short: "Make a bootable disk image of a machine",
		Long: `Build a machine and make the image of a disk that boots it on hardware with UEFI
or in a virtual machine. How large its parts are is declared under "disk". The
same system, commit and program give the same image, to the byte.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			begin := a.Now()
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			built, err := a.build(cmd.Context(), s, args)
			if err != nil {
				return err
			}
			first, err := built.first()
			if err != nil {
				return err
			}
			report, done := a.progress()
			built.builder.Report = report
			path := output
			if path == "" {
				path = built.Manifest.Machine + "." + format
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(a.Dir, path)
			}
			layout := disk.Layout{Size: 8 << 30, ESP: 512 << 20}
			err = built.builder.Image(cmd.Context(), built.System, built.lock, first, layout, path)
			done()
			if err != nil {
				return explain(err)
			}
			fmt.Fprintf(a.Stdout, "%s: %s in %.2f s\n", path, term.Bytes(layout.Size), a.Now().Sub(begin).Seconds())
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "the image's path; by default MACHINE.FORMAT here")
	cmd.Flags().StringVar(&format, "format", "raw", "raw or qcow2")
	return cmd
}

// first is what the first generation of the machine has beside its system.
func (m *builtMachine) first() (build.First, error) {
	stet, err := os.Executable()
	return build.First{Stet: stet, Provenance: m.provenance}, err
}
