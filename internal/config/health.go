package config

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"stet/internal/machine"
)

// healthTimeout is the name in the block of checks that is none.
const healthTimeout = "timeout"

// health tells the time apart from the checks beside it.
func (e *evaluation) health(text map[string]json.RawMessage) (machine.Health, Problems) {
	health := machine.Health{Checks: map[string]machine.Check{}}
	var problems Problems
	fail := func(place Place, name, message, remedy string) {
		problems = append(problems, Problem{Place: place, Path: PathOf([]string{"health", name}), Message: message, Remedy: remedy})
	}
	for _, name := range slices.Sorted(maps.Keys(text)) {
		if name == healthTimeout {
			var written string
			err := json.Unmarshal(text[name], &written)
			timeout, wrong := time.ParseDuration(written)
			if err != nil || wrong != nil || timeout <= 0 {
				fail(e.place("health", name), name, "not a time: "+written, "write a time such as 30s or 5m")
			}
			health.Timeout = machine.Duration(timeout)
			continue
		}
		var check machine.Check
		if err := json.Unmarshal(text[name], &check); err != nil {
			fail(e.labelled("health", name), name, err.Error(), "")
		}
		kinds := 0
		for _, given := range []bool{check.Unit != "", check.Command != "", check.Port != 0} {
			if given {
				kinds++
			}
		}
		if kinds != 1 {
			fail(e.labelled("health", name), name, "a check has exactly one of unit, command and port", "")
		}
		health.Checks[name] = check
	}
	return health, problems
}
