package cli

import (
	"errors"

	"stet/internal/config"
	"stet/internal/rootfs"
	"stet/internal/system"
)

// explainAnswer gives an answer that no package takes its place in the
// configuration. Other errors stay as they are.
func explainAnswer(c *config.Configuration, err error) error {
	wrong := (*rootfs.AnswerError)(nil)
	if !errors.As(err, &wrong) {
		return err
	}
	path, known := []string{"debconf", wrong.Package}, wrong.Known
	if wrong.Question != "" {
		path = append(path, wrong.Question)
	}
	if wrong.Value {
		known = nil // its name is right
	}
	for _, name := range c.Names() {
		answers, ok := c.Machines[name].Debconf[wrong.Package]
		if _, has := answers[wrong.Question]; ok && (has || wrong.Question == "") {
			return c.Wrong(name, path, wrong.Message, wrong.Remedy, known)
		}
	}
	return err
}

// explainMisfit gives what does not fit the packages its place in the
// configuration. Other errors stay as they are.
func explainMisfit(c *config.Configuration, machine string, err error) error {
	wrong := (*system.Misfit)(nil)
	if !errors.As(err, &wrong) || len(wrong.Option) == 0 {
		return err
	}
	return c.WrongValue(machine, wrong.Option, wrong.Value, wrong.Problem, wrong.Remedy, wrong.Known)
}

// explainChecks gives failed checks the places of what they are about: where
// somebody wrote what made the files. Other errors stay as they are.
func explainChecks(c *config.Configuration, machine string, err error) error {
	failed := []error{err}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		failed = several.Unwrap()
	}
	var problems config.Problems
	for _, one := range failed {
		wrong := (*system.CheckError)(nil)
		if !errors.As(one, &wrong) {
			return err
		}
		problems = append(problems, c.Unfit(machine, wrong.Check, wrong.Output, wrong.Files))
	}
	return problems
}
