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

// detach has a carrier do a job.
func detach(t *testing.T, m Machine, launch func(context.Context, systemd.Service) error, job Job) (Result, error) {
	t.Helper()
	c, err := m.Begin(t.Context(), launch, []string{"stet", "carry-out"})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	return c.Carry(t.Context(), job)
}

func TestAJobIsDoneElsewhereAndWaitedFor(t *testing.T) {
	m := jobMachine(t)
	job := Job{Plan: &plan.Plan{Format: plan.Format, New: "new"}, New: System{Digest: "new"}, Request: []byte(`{"a":1}`)}
	want := Result{Code: 4, Error: "failed now: web.service", Said: "journal", Kept: []byte(`{"generation":2}`)}
	var have Job
	result, err := detach(t, m, started(func(dir string) {
		go func() {
			time.Sleep(100 * time.Millisecond)
			have, _ = AwaitJob(t.Context(), dir)
			_ = want.Write(dir)
		}()
	}), job)
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
	_, err := detach(t, jobMachine(t), started(func(string) {}), Job{Plan: &plan.Plan{Format: plan.Format}})
	if ended := (*EndedError)(nil); !errors.As(err, &ended) {
		t.Error(err)
	}
}

func TestAJobThatCannotBeginLeavesNothing(t *testing.T) {
	m := jobMachine(t)
	broken := errors.New("no manager")
	for said, want := range map[error]error{systemd.ErrExists: ErrBusy, broken: broken} {
		_, err := detach(t, m, func(context.Context, systemd.Service) error { return said }, Job{})
		if !errors.Is(err, want) {
			t.Error(err)
		}
		if left, err := os.ReadDir(m.run("stet")); err != nil || len(left) != 0 {
			t.Errorf("left: %v %v", left, err)
		}
	}
}

// TestACarrierWithoutAJobGoes is for plans that are refused, and for a process that is
// killed while it makes one.
func TestACarrierWithoutAJobGoes(t *testing.T) {
	for name, end := range map[string]func(*Carrier) error{
		"it is let go":               (*Carrier).Close,
		"the one who began it ended": func(c *Carrier) error { return c.asker.Close() },
	} {
		m := jobMachine(t)
		ended := make(chan error, 1)
		c, err := m.Begin(t.Context(), started(func(dir string) {
			go func() {
				_, err := AwaitJob(t.Context(), dir)
				ended <- err
			}()
		}), []string{"stet", "carry-out"})
		must(t, err)
		select {
		case err := <-ended:
			t.Fatalf("%s: before that: %v", name, err)
		case <-time.After(5 * look):
		}
		must(t, end(c))
		if err := <-ended; !errors.Is(err, ErrNoJob) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(m.run("stet")); err != nil || len(left) != 0 {
			t.Errorf("%s: left: %v %v", name, left, err)
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
