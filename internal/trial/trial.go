package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stet/internal/machine"
	"stet/internal/vm"
)

// Times after which a step fails that names none.
const (
	stepTimeout = 2 * time.Minute
	bootTimeout = vm.BootTime
)

// Guest is a running machine; [*vm.VM] is one.
type Guest interface {
	Exec(ctx context.Context, command vm.Command) (*vm.Result, error)
	WaitBooted(ctx context.Context) (state string, err error)
	WaitForUnit(ctx context.Context, unit string) error
	WaitForPort(ctx context.Context, port int) error
	Reboot(ctx context.Context) error
	SerialLog() []byte
}

// Config says what to test.
type Config struct {
	// Machine is the machine's name.
	Machine string
	Tests   map[string][]machine.Step
	Guest   Guest
	// Ports maps ports of the guest to those of 127.0.0.1 that lead to them.
	Ports map[int]int
	// Directory is where commands of the host run: the repository.
	Directory string
	// Environment is what they inherit.
	Environment []string
	// Starting is told of each step before it runs; nil is told nothing.
	Starting func(test string, step int, what string)
}

// Result is the outcome of one declared test.
type Result struct {
	Name    string  `json:"name"`
	Passed  bool    `json:"passed"`
	Seconds float64 `json:"seconds"`
	Steps   []Step  `json:"steps"`
	// SerialLog has the console's last lines, of a test that failed.
	SerialLog string `json:"serial_log,omitempty"`
}

// Step is the outcome of one step.
type Step struct {
	// Number counts from 1.
	Number int `json:"number"`
	// What says in one line what the step does.
	What    string  `json:"what"`
	Passed  bool    `json:"passed"`
	Skipped bool    `json:"skipped,omitempty"` // an earlier step failed
	Seconds float64 `json:"seconds"`
	// Output is what a command wrote to stdout and stderr, and ExitStatus how
	// it ended.
	Output     string `json:"output,omitempty"`
	ExitStatus *int   `json:"exit_status,omitempty"`
	// Failure says why the step failed.
	Failure string `json:"failure,omitempty"`
}

// Ports gives the ports of the guest that the tests name, sorted: those that
// the host must be able to reach.
func Ports(tests map[string][]machine.Step) []int {
	ports := map[int]bool{}
	for _, steps := range tests {
		for _, step := range steps {
			if step.WaitFor != nil && step.WaitFor.Port != 0 {
				ports[step.WaitFor.Port] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ports))
}

// Forwards gives what a VM must forward for the tests, beside what is
// forwarded already.
func Forwards(tests map[string][]machine.Step, already []vm.Forward) []vm.Forward {
	forwards := slices.Clone(already)
	for _, port := range Ports(tests) {
		if !slices.ContainsFunc(already, func(f vm.Forward) bool { return f.GuestPort == port }) {
			forwards = append(forwards, vm.Forward{GuestPort: port})
		}
	}
	return forwards
}

// Run waits until the guest has booted and carries out all tests. The error
// says that the machine did not boot or that ctx ended; a test that fails is
// no error.
func Run(ctx context.Context, c Config) ([]Result, error) {
	if err := booted(ctx, c.Guest); err != nil {
		return nil, err
	}
	var results []Result
	for _, name := range slices.Sorted(maps.Keys(c.Tests)) {
		results = append(results, c.test(ctx, name, c.Tests[name]))
		if ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
	}
	return results, nil
}

// Passed tells whether all tests passed.
func Passed(results []Result) bool {
	return !slices.ContainsFunc(results, func(r Result) bool { return !r.Passed })
}

// booted waits for the end of the boot. A degraded machine has booted too;
// whether that is good is for the tests to say.
func booted(ctx context.Context, guest Guest) error {
	ctx, cancel := context.WithTimeout(ctx, bootTimeout)
	defer cancel()
	_, err := guest.WaitBooted(ctx)
	return err
}

func (c *Config) test(ctx context.Context, name string, steps []machine.Step) Result {
	result := Result{Name: name, Passed: true, Steps: []Step{}}
	begin := time.Now()
	for i, declared := range steps {
		step := Step{Number: i + 1, What: describe(declared)}
		if !result.Passed {
			step.Skipped = true
			result.Steps = append(result.Steps, step)
			continue
		}
		if c.Starting != nil {
			c.Starting(name, step.Number, step.What)
		}
		stepBegin := time.Now()
		if err := c.step(ctx, name, declared, &step); err != nil {
			step.Failure = err.Error()
			result.Passed = false
		}
		step.Passed = step.Failure == ""
		step.Seconds = time.Since(stepBegin).Seconds()
		result.Steps = append(result.Steps, step)
	}
	result.Seconds = time.Since(begin).Seconds()
	if !result.Passed {
		result.SerialLog = LastLines(printable(c.Guest.SerialLog()), 40)
	}
	return result
}

func describe(step machine.Step) string {
	switch {
	case step.Reboot:
		return "reboot"
	case step.WaitFor != nil && step.WaitFor.Unit != "":
		return "wait for " + step.WaitFor.Unit
	case step.WaitFor != nil:
		return fmt.Sprintf("wait for port %d", step.WaitFor.Port)
	case step.From == "host":
		return "run on the host: " + firstLine(step.Run)
	}
	return "run: " + firstLine(step.Run)
}

func firstLine(text string) string {
	line, rest, _ := strings.Cut(strings.TrimSpace(text), "\n")
	if rest != "" {
		return line + " …"
	}
	return line
}

// step carries out one step; the error is its failure.
func (c *Config) step(ctx context.Context, test string, declared machine.Step, step *Step) error {
	timeout := time.Duration(declared.Timeout)
	if timeout <= 0 {
		timeout = stepTimeout
		if declared.Reboot {
			timeout = bootTimeout
		}
	}
	late := fmt.Errorf("it took longer than %v", timeout)
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	defer cancel()
	switch {
	case declared.Reboot:
		if err := c.Guest.Reboot(ctx); err != nil {
			return err
		}
		_, err := c.Guest.WaitBooted(ctx)
		return err
	case declared.WaitFor != nil && declared.WaitFor.Unit != "":
		return c.Guest.WaitForUnit(ctx, declared.WaitFor.Unit)
	case declared.WaitFor != nil:
		return c.Guest.WaitForPort(ctx, declared.WaitFor.Port)
	case declared.Run != "":
		return c.run(ctx, test, declared, step)
	}
	return errors.New("the step says nothing: give it run, wait_for or reboot")
}

func (c *Config) run(ctx context.Context, test string, declared machine.Step, step *Step) error {
	environment := []string{
		"STET_TEST_MACHINE=" + c.Machine,
		"STET_TEST_NAME=" + test,
		fmt.Sprintf("STET_TEST_STEP=%d", step.Number),
	}
	var output []byte
	var status int
	var err error
	if declared.From == "host" {
		for _, port := range slices.Sorted(maps.Keys(c.Ports)) {
			environment = append(environment, fmt.Sprintf("STET_PORT_%d=%d", port, c.Ports[port]))
		}
		output, status, err = runOnHost(ctx, declared.Run, c.Directory, append(slices.Clone(c.Environment), environment...))
	} else {
		output, status, err = c.runInGuest(ctx, declared.Run, environment)
	}
	step.Output = printable(output)
	if err != nil {
		return err
	}
	step.ExitStatus = &status
	if status != 0 {
		return fmt.Errorf("exit status %d", status)
	}
	if declared.Expect != nil && !strings.Contains(step.Output, *declared.Expect) {
		return fmt.Errorf("expected %q in the output", *declared.Expect)
	}
	return nil
}

func (c *Config) runInGuest(ctx context.Context, line string, environment []string) ([]byte, int, error) {
	var output outputBuffer
	command := vm.Shell(line)
	command.Env = environment
	command.Stdout, command.Stderr = &output, &output
	result, err := c.Guest.Exec(ctx, command)
	if err != nil {
		return output.bytes(), 0, err
	}
	return output.bytes(), result.ExitStatus, nil
}
