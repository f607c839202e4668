package cli

import (
	"cmp"
	"context"
	"slices"

	"stet/internal/drift"
	"stet/internal/integrity"
	"stet/internal/plan"
	"stet/internal/store"
)

// readAll reads all that the running system is made of, and finds what is not as it
// was built. Where the store is sealed nobody can change it without being noticed:
// a program that needs what is damaged gets an error, and this tells beforehand.
func (a *app) readAll(ctx context.Context, s *store.Store, report *driftReport) error {
	progress, done := a.progress()
	read, err := integrity.Verify(ctx, s, integrity.Options{Report: progress})
	done()
	if err != nil {
		return err
	}
	report.Findings = append(damaged(read.Findings, report.System), report.Findings...)
	return nil
}

// damaged tells findings of a store as drift of a system.
func damaged(all []integrity.Finding, system string) []driftedFinding {
	var found []driftedFinding
	for _, f := range all {
		for _, h := range f.Hurts {
			if !slices.Contains(h.Systems, system) {
				continue
			}
			d := driftedFinding{Finding: drift.Finding{
				Kind: drift.Damage, Name: cmp.Or(h.Path, f.Name), Change: plan.Modified, What: string(f.Problem),
				Undone: "nothing on this machine has what it was", Remedy: repair([]integrity.Finding{f}, machineStore),
			}}
			if f.Problem == integrity.Missing {
				d.Change = plan.Deleted
			}
			if f.Detail != "" {
				d.What += ": " + f.Detail
			}
			if h.Package != "" {
				d.Packages = []string{h.Package}
			}
			found = append(found, d)
		}
	}
	return found
}
