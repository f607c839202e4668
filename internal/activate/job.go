package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"stet/internal/fault"
	"stet/internal/plan"
	"stet/internal/systemd"
)

// A Job is a switch that a process of its own carries out, which no terminal,
// session or connection can end: a unit named JobUnit. It lives in a directory
// below /run that is named to that process.
type Job struct {
	Plan    *plan.Plan      `json:"plan"`
	Old     System          `json:"old"`
	New     System          `json:"new"`
	Discard bool            `json:"discard,omitempty"`
	Request json.RawMessage `json:"request"` // what the caller wants to be kept
}

// Result is how a job ended.
type Result struct {
	Code     int             `json:"code"`
	Error    string          `json:"error,omitempty"`
	Remedy   string          `json:"remedy,omitempty"`
	Said     string          `json:"said,omitempty"` // the journal of units that failed
	Problems []string        `json:"problems,omitempty"`
	Saved    string          `json:"saved,omitempty"`
	Regained []string        `json:"regained,omitempty"`
	Swap     time.Duration   `json:"swap,omitempty"`
	Kept     json.RawMessage `json:"kept,omitempty"`
}

// JobUnit is the unit that a switch runs in.
const JobUnit = "stet-switch.service"

const (
	jobFile    = "job.json"
	resultFile = "result.json"
)

// EndedError says that the process of a switch ended without a word.
type EndedError struct{}

// Error implements error.
func (*EndedError) Error() string {
	return "the switch ended before it was done: the next one takes it back"
}

// Detach carries out a job by program, a command that gets the job's directory as
// its last argument and is launched as a service, and waits for its end. When ctx ends,
// only the waiting does.
func (m Machine) Detach(ctx context.Context, launch func(context.Context, systemd.Service) error, program []string, job Job) (Result, error) {
	dir, err := os.MkdirTemp(m.run("stet"), "job-")
	if err != nil {
		return Result{}, err
	}
	text, err := json.Marshal(job)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, jobFile), text, 0o600)
	}
	if err == nil {
		err = launch(ctx, systemd.Service{
			Name: JobUnit, Description: "Stet makes another system the running one",
			Command: append(slices.Clone(program), dir), Environment: fault.Environment(),
			Settings: []systemd.Setting{{Name: "KillMode", Value: "mixed"}, {Name: "OOMScoreAdjust", Value: int32(-900)}},
		})
		if errors.Is(err, systemd.ErrExists) {
			err = ErrBusy
		}
	}
	if err != nil {
		return Result{}, errors.Join(err, os.RemoveAll(dir))
	}
	result, err := m.await(ctx, filepath.Join(dir, resultFile))
	if err == nil {
		err = os.RemoveAll(dir)
	}
	return result, err
}

// await waits for the result of a job, or for the end of its unit without one: the
// unit is there as long as its control group is. Its manager is not asked, which has
// other things to do, and says nothing while it reads its units anew.
func (m Machine) await(ctx context.Context, file string) (Result, error) {
	const look, ask = 50 * time.Millisecond, 40 // now and then
	group := filepath.Join(m.Root, "sys/fs/cgroup/system.slice", JobUnit)
	for n, gone := 1, 0; ; n++ {
		text, err := os.ReadFile(file)
		if err == nil {
			var result Result
			return result, json.Unmarshal(text, &result)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Result{}, err
		}
		if gone > 1 {
			return Result{}, &EndedError{}
		}
		if n%ask == 0 {
			if _, err := os.Stat(group); errors.Is(err, fs.ErrNotExist) {
				gone++
			}
		}
		if err := sleep(ctx, look); err != nil {
			return Result{}, err
		}
	}
}

// ReadJob reads the job in a directory.
func ReadJob(dir string) (Job, error) {
	text, err := os.ReadFile(filepath.Join(dir, jobFile))
	if err != nil {
		return Job{}, err
	}
	var job Job
	if err := json.Unmarshal(text, &job); err != nil {
		return Job{}, fmt.Errorf("read a job: %w", err)
	}
	if job.Plan == nil || job.Plan.Format != plan.Format {
		return Job{}, errors.New("read a job: it has no plan that this Stet knows")
	}
	return job, nil
}

// Write tells whoever waits how the job in a directory ended.
func (r Result) Write(dir string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, resultFile), text, 0o600)
}
