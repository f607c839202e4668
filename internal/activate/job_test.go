package activate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
	"stet/internal/systemd"
)

// started is a systemd-run that gives the directory of a job to do.
func started(do func(dir string)) systemd.Runner {
	return func(_ context.Context, _ *systemd.User, argv []string) ([]byte, error) {
		if argv[0] == "systemd-run" {
			do(argv[len(argv)-1])
			return nil, nil
		}
		return []byte("inactive\n"), nil
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
	for said, want := range map[string]string{"Unit stet-switch.service was already loaded or has a fragment file.": ErrBusy.Error(), "no manager": "no manager"} {
		_, err := m.Detach(t.Context(), func(context.Context, *systemd.User, []string) ([]byte, error) { return nil, errors.New(said) }, nil, Job{})
		if err == nil || !strings.Contains(err.Error(), want) {
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
