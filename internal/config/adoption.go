package config

import (
	"fmt"
	"regexp"

	"stet/internal/machine"
)

// adoption checks what the schema cannot: that lines are expressions with a value.
func (e *evaluation) adoption(adopt map[string]machine.Adoption) (problems Problems) {
	for file, options := range adopt {
		for name, line := range options {
			elements := []string{"adopt", file, name, "line"}
			wrong := func(message, remedy string) {
				problems = append(problems, Problem{Place: e.place(elements...), Path: PathOf(elements), Message: message, Remedy: remedy})
			}
			expression, err := regexp.Compile(line.Line)
			switch {
			case err != nil:
				wrong(fmt.Sprintf("is no regular expression: %v", err), "its syntax is that of RE2")
			case expression.NumSubexp() != 1:
				wrong(fmt.Sprintf("has %d groups", expression.NumSubexp()), "one group, in parentheses, is the value; (?:…) is none")
			}
		}
	}
	return problems
}
