package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"stet/internal/integrity"
	"stet/internal/term"
)

// verifyReport is what `stet verify --json` prints.
type verifyReport struct {
	OK bool `json:"ok"`
	*integrity.Report
	Seconds float64 `json:"seconds"`
}

func newVerify(a *app) *cobra.Command {
	var options integrity.Options
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read all of the store, and say what is damaged or missing",
		Long: `Look at every manifest, tree, image and object of the store: is it there, has it
the right size, is its content what its name says? Each file that is missing,
damaged or, on a machine, not sealed is named, with the paths, packages and
generations that it hurts; exit code 3.

With --quick no content is read: of sealed files the kernel's digest is compared.
It finds what was exchanged or is missing, and no damaged block.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			begin := a.Now()
			if options.Quick && options.Seal {
				return wrongInput(errors.New("--seal reads everything: it cannot be quick"), "leave one of them out")
			}
			s, err := a.openStore()
			if err != nil {
				return err
			}
			defer s.Close()
			progress, done := a.progress()
			options.Report = progress
			report, err := integrity.Verify(cmd.Context(), s, options)
			done()
			if err != nil {
				return err
			}
			all := verifyReport{OK: len(report.Findings) == 0, Report: report, Seconds: a.Now().Sub(begin).Seconds()}
			if a.json {
				err = a.printJSON(all)
			} else {
				a.printVerified(all, s.Dir())
			}
			if err == nil && !all.OK {
				err = &Failure{Code: ExitDiffers}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&options.Quick, "quick", false, "read no content")
	cmd.Flags().BoolVar(&options.Seal, "seal", false, "seal what is whole and not sealed yet")
	return cmd
}

func (a *app) printVerified(r verifyReport, dir string) {
	for _, f := range r.Findings {
		printFinding(a.Stdout, f)
	}
	if !r.Seals && dir == machineStore {
		fmt.Fprintln(a.Stdout, dir+" is on a file system without fs-verity: nothing is sealed, and no generation will start")
	}
	if r.Sealed > 0 {
		fmt.Fprintf(a.Stdout, "%s sealed\n", count(r.Sealed, "file"))
	}
	fmt.Fprintf(a.Stdout, "%s, %s read in %.2f s: ", count(r.Files, "file"), term.Bytes(r.Bytes), r.Seconds)
	if r.OK {
		fmt.Fprintln(a.Stdout, "all as they should be")
		return
	}
	fmt.Fprintf(a.Stdout, "%s\n", count(len(r.Findings), "problem"))
	a.term.Note(repair(r.Findings, dir))
}

// printFinding prints a line for the file, and below it one for each path that it
// hurts.
func printFinding(w io.Writer, f integrity.Finding) {
	line := string(f.Problem) + " " + f.Name
	if f.Detail != "" {
		line += ": " + f.Detail
	}
	fmt.Fprintln(w, line)
	for _, h := range f.Hurts {
		what := cmp.Or(h.Path, "all of it")
		if h.Package != "" {
			what += " of package " + h.Package
		}
		fmt.Fprintf(w, "  %s, in %s\n", what, whose(h))
	}
	if len(f.Hurts) == 0 {
		fmt.Fprintln(w, "  no system needs it")
	}
}

// whose says by their numbers which generations are hurt, or, on a build host,
// which systems.
func whose(h integrity.Hurt) string {
	var numbers []string
	for _, n := range h.Generations {
		numbers = append(numbers, fmt.Sprint(n))
	}
	switch len(numbers) {
	case 0:
	case 1:
		return "generation " + numbers[0]
	default:
		return "generations " + strings.Join(numbers, ", ")
	}
	var systems []string
	for _, digest := range h.Systems {
		systems = append(systems, strings.TrimSpace(h.Machine+" "+digest[:min(12, len(digest))]))
	}
	return strings.Join(systems, ", ")
}

// repair says what to do about findings.
func repair(findings []integrity.Finding, dir string) string {
	unsealed := true
	for _, f := range findings {
		unsealed = unsealed && f.Problem == integrity.Unsealed
	}
	switch {
	case unsealed:
		return "`stet verify --seal` seals what is whole"
	case dir == machineStore:
		return "use a generation that is whole (`stet rollback`); of the others, delete what is damaged, build them again, and hand them over with `stet boot`"
	}
	return fmt.Sprintf("delete what is damaged and %s/memo, and build again", dir)
}
