package activate

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stet/internal/plan"
)

// toItself is the plan of an undo: it leads to the system that runs.
func (w *world) toItself(keep ...string) *plan.Plan {
	etc := w.old.Trees["etc"]
	return &plan.Plan{
		Format: plan.Format, Machine: "hello", Old: w.old.Digest, New: w.old.Digest, Kind: plan.Live, Keep: keep,
		Trees: []plan.Tree{{Name: "etc", Old: etc, New: etc, Live: true}},
	}
}

func TestAnUndoLeavesWhatIsKept(t *testing.T) {
	w := newWorld(t)
	must(t, os.WriteFile(w.at("etc/a*b"), []byte("odd"), 0o644))
	must(t, os.WriteFile(w.at("etc/acb"), []byte("plain"), 0o644))
	must(t, os.Mkdir(w.at("etc/new"), 0o755))
	must(t, os.WriteFile(w.at("etc/new/file"), []byte("new"), 0o644))
	_, err := w.machine().Switch(t.Context(), w.toItself("/etc/new", "/etc/a*b"), w.old, w.old, false)
	must(t, err)
	want := w.looksOld(t)
	want["etc/motd"], want["upper"], want["newest upper"] = "old", "2", "2"
	if diff := cmp.Diff(want, w.looks(t)); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{"etc/new/file": "new", "etc/a*b": "odd", "etc/acb": ""} {
		text, _ := os.ReadFile(w.at(name))
		if string(text) != want {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
}

func TestWhatWasLetGoComesBack(t *testing.T) {
	w := newWorld(t)
	must(t, os.Remove(w.at("etc/only-old")))
	must(t, os.Chmod(w.at("etc/ssh/sshd_config"), 0o600)) // its content stays in the image
	_, err := w.machine().Switch(t.Context(), w.toItself(), w.old, w.old, false)
	must(t, err)
	if text, err := os.ReadFile(w.at("etc/motd")); err != nil || string(text) != "old" {
		t.Fatalf("it was not undone: %q, %v", text, err)
	}
	from := w.machine().upperOf(1)
	problems, err := w.machine().Revert(t.Context(), from, []string{"/etc/ssh/sshd_config"})
	if err != nil || len(problems) != 1 {
		t.Errorf("nothing says what the upper is of: %q, %v", problems, err)
	}
	from.Image = w.old.Images["etc"]
	problems, err = w.machine().Revert(t.Context(), from, []string{"/etc/motd", "/etc/only-old", "/etc/ssh/sshd_config"})
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	if text, err := os.ReadFile(w.at("etc/motd")); err != nil || string(text) != "drift" {
		t.Errorf("motd is %q, %v", text, err)
	}
	if _, err := os.Lstat(w.at("etc/only-old")); !os.IsNotExist(err) {
		t.Errorf("what was removed is there: %v", err)
	}
	text, err := os.ReadFile(w.at("etc/ssh/sshd_config"))
	info, statErr := os.Stat(w.at("etc/ssh/sshd_config"))
	if err != nil || statErr != nil || string(text) != "old" || info.Mode() != 0o600 {
		t.Errorf("a changed mode: %q %v, %v %v", text, info.Mode(), err, statErr)
	}
}

func TestBeforeASoftRebootNoUnitIsTouched(t *testing.T) {
	w := newWorld(t)
	_, err := w.machine().Replace(t.Context(), w.plan(), w.old, w.new, false, 7)
	must(t, err)
	if len(w.jobs.done) != 0 {
		t.Errorf("jobs: %q", w.jobs.done)
	}
	if diff := cmp.Diff(w.looksNew(t), w.looks(t)); diff != "" {
		t.Error(diff)
	}
	if boot, err := w.machine().readBoot(); err != nil || boot.Generation != 7 {
		t.Errorf("generation %d, %v", boot.Generation, err)
	}
}
