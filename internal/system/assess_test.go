package system

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/health"
	"stet/internal/machine"
	"stet/internal/unit"
)

func TestMachineCarriesItsHealth(t *testing.T) {
	f := newFixture(t)
	want := machine.Health{Timeout: machine.Duration(time.Minute), Checks: map[string]machine.Check{"web": {Port: 80}}}
	made := f.must(&machine.Machine{Health: want})
	got, err := health.Parse([]byte(f.at(made, "/usr/"+health.File)))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

func TestAssessmentActsOnlyWhereGenerationsAreCounted(t *testing.T) {
	f := newFixture(t)
	made := f.must(&machine.Machine{})
	units := []string{deadlineTimer}
	for _, u := range assessment {
		units = append(units, u.name)
	}
	for _, name := range units {
		text := f.at(made, unitDir+name)
		if _, err := unit.Parse(text); err != nil || !strings.Contains(text, "\nConditionKernelCommandLine=stet.generation\n") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	f.expect(made, map[string]string{
		unitDir + "boot-complete.target.requires/stet-health.service": ">../stet-health.service",
		unitDir + "basic.target.wants/stet-good.service":              ">../stet-good.service",
		unitDir + "sysinit.target.wants/stet-deadline.timer":          ">../stet-deadline.timer",
		unitDir + "multi-user.target.wants/stet-history.service":      ">../stet-history.service",
	})
}
