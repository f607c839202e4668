package activate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"stet/internal/plan"
)

// A Job is a switch that a [Carrier] carries out.
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

// EndedError says that the process of a switch ended without a word.
type EndedError struct{}

// Error implements error.
func (*EndedError) Error() string {
	return "the switch ended before it was done: the next one takes it back"
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
