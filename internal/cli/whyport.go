package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"stet/internal/facts"
	"stet/internal/past"
	"stet/internal/unit"
)

// listeners adds to reports those on who listens at a port: each unit, or program
// of none, and where that comes from.
func (q *question) listeners(ctx context.Context, word string, port uint16, protocol string, reports []whyReport) ([]whyReport, error) {
	all, err := q.running.facts.Listening()
	if err != nil {
		return nil, err
	}
	options := len(reports)
	by := map[string]int{} // unit or program to its report
	for _, s := range all {
		if s.Port != port || protocol != "" && s.Protocol != protocol {
			continue
		}
		if s.PID == 1 {
			if s.Unit, err = q.socketUnit(s); err != nil {
				return nil, err
			}
		}
		key := fmt.Sprint(s.Protocol, cmp.Or(s.Unit, s.Program))
		if n, known := by[key]; known {
			reports[n].Sockets = append(reports[n].Sockets, s)
			continue
		}
		r := whyReport{What: fmt.Sprintf("%d/%s", port, s.Protocol), Sockets: []facts.Socket{s}}
		if err := q.ofListener(ctx, &r, s); err != nil {
			return nil, err
		}
		by[key] = len(reports)
		reports = append(reports, r)
	}
	switch {
	case len(reports) > options:
	case options > 0:
		reports[0].Notes = append(reports[0].Notes, "nothing listens at "+word+" now")
	default:
		return nil, wrongInput(fmt.Errorf("nothing on %s listens at %s, and no option has it", q.machine, word), "`ss -lntu` on the machine lists who listens")
	}
	return reports, nil
}

// socketUnit is the unit for which the system's manager itself holds a socket.
func (q *question) socketUnit(s facts.Socket) (string, error) {
	units, err := q.system.units()
	if err != nil {
		return "", err
	}
	found, err := units.Listening(s.Port)
	if err != nil || len(found) == 0 {
		return s.Unit, err
	}
	return found[0].Unit, nil
}

// ofListener fills in where who listens comes from: an option that declares the
// unit, else the package of its file, else that of the program.
func (q *question) ofListener(ctx context.Context, r *whyReport, s facts.Socket) (err error) {
	r.thing = past.Thing{Kind: past.Unit, Name: s.Unit}
	for _, name := range []string{s.Unit, unit.FileName(s.Unit)} {
		if options := q.declared.find(name); len(options) > 0 {
			r.Causes, err = q.declared.causes(ctx, options[0])
			return err
		}
	}
	for _, word := range []string{s.Unit, s.Program} {
		thing, makers, err := q.system.makers(word)
		if err != nil {
			return err
		}
		if word != "" && len(makers) > 0 && slices.Contains([]past.Kind{past.Unit, past.File}, thing.Kind) {
			r.thing = thing
			return q.follow(ctx, r, makers)
		}
	}
	r.thing = past.Thing{}
	r.Causes = []whyCause{}
	r.Notes = append(r.Notes, "nothing declares who listens, and no package has it")
	return nil
}
