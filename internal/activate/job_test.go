package activate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
	"stet/internal/systemd"
)

// started launches what is given the directory of a job.
func started(do func(dir string)) func(context.Context, systemd.Service) error {
	return func(_ context.Context, s systemd.Service) error {
		do(s.Command[len(s.Command)-1])
		return nil
	}
}

func jobMachine(t *testing.T) Machine {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "run/stet"), 0o755))
	return Machine{Root: root}
}

func TestAJobIsDoneElsewhereAndWaitedFor(t *testing.T) {
	m := jobMachine(t)
	job := Job{Plan: &plan.Plan{Format: plan.Format, New: "new"}, New: System{Digest: "new"}, Request: []byte(`{"a":1}`)}
	want := Result{Code: 4, Error: "failed now: web.service", Said: "journal", Kept: []byte(`{"generation":2}`)}
	var have Job
	result, err := m.Detach(t.Context(), started(func(dir string) {
		go func() {
			time.Sleep(100 * time.Millisecond)
			have, _ = ReadJob(dir)
			_ = want.Write(dir)
		}()
	}), []string{"stet", "carry-out"}, job)
	must(t, err)
	if diff := cmp.Diff(want, result); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(job, have); diff != "" {
		t.Error(diff)
	}
	if left, err := os.ReadDir(m.run("stet")); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestAJobThatEndsWithoutAWordIsNoticed(t *testing.T) {
	_, err := jobMachine(t).Detach(t.Context(), started(func(string) {}), []string{"stet"}, Job{Plan: &plan.Plan{Format: plan.Format}})
	if ended := (*EndedError)(nil); !errors.As(err, &ended) {
		t.Error(err)
	}
}

func TestAJobThatCannotBeginLeavesNothing(t *testing.T) {
	m := jobMachine(t)
	broken := errors.New("no manager")
	for said, want := range map[error]error{systemd.ErrExists: ErrBusy, broken: broken} {
		_, err := m.Detach(t.Context(), func(context.Context, systemd.Service) error { return said }, nil, Job{})
		if !errors.Is(err, want) {
			t.Error(err)
		}
		if left, err := os.ReadDir(m.run("stet")); err != nil || len(left) != 0 {
			t.Errorf("left: %v %v", left, err)
		}
	}
}

func TestAJobWithoutAPlanIsRefused(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "{}", `{"plan":{"format":9}}`} {
		must(t, os.WriteFile(filepath.Join(dir, jobFile), []byte(text), 0o600))
		if _, err := ReadJob(dir); err == nil {
			t.Errorf("%q was taken for a job", text)
		}
	}
}
