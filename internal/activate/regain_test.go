package activate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"stet/internal/plan"
	"stet/internal/state"
)

// keeping gives a system that persists the paths beside what all others do. With
// anew its /etc is another, too.
func (w *world) keeping(t *testing.T, of System, anew bool, paths string) System {
	t.Helper()
	name := "keeping " + paths + strconv.FormatBool(anew)
	s := w.system(t, name, map[string]string{"/motd": name, "/conf/declared": name, "/shadow": "ada:!:1:0:9:7:::\n"})
	s.Images["usr"] = w.image(t, map[string]string{
		"/bin/page": name, "/lib/modules/": "", "/" + state.PolicyFile: `{"format":1,"persist":["/etc/ssh/ssh_host_*"` + paths + `]}`,
	})
	for _, tree := range []string{"etc", "modules", "var"} {
		if tree != "etc" || !anew {
			s.Images[tree], s.Trees[tree] = of.Images[tree], of.Trees[tree]
		}
	}
	return s
}

// switchTo makes a system the running one, by a plan that does nothing else.
func (w *world) switchTo(t *testing.T, next System) *Outcome {
	t.Helper()
	p := &plan.Plan{Format: plan.Format, Machine: "hello", Old: w.old.Digest, New: next.Digest, Kind: plan.Live}
	for _, name := range []string{"etc", "modules", "usr", "var"} {
		if w.old.Trees[name] != next.Trees[name] {
			p.Trees = append(p.Trees, plan.Tree{Name: name, Old: w.old.Trees[name], New: next.Trees[name], Live: true})
		}
	}
	outcome, err := w.machine().Switch(t.Context(), p, w.old, next, false)
	must(t, err)
	if len(outcome.Problems) > 0 {
		t.Errorf("problems: %q", outcome.Problems)
	}
	w.old = next
	return outcome
}

func (w *world) read(name string) string {
	text, err := os.ReadFile(w.at(name))
	if err != nil {
		return "(none)"
	}
	return string(text)
}

func (w *world) savedIn(t *testing.T, number int) []string {
	t.Helper()
	policy, err := readPolicy(w.at("usr"))
	must(t, err)
	saved, _, err := w.machine().upperOf(number).Saved(policy)
	must(t, err)
	return saved
}

// TestWhatPersistsAgainComesBack has a path persisted, dropped and persisted again:
// in an /etc that is replaced, and in one that stays.
func TestWhatPersistsAgainComesBack(t *testing.T) {
	for _, anew := range []bool{true, false} {
		t.Run(fmt.Sprintf("another etc %v", anew), func(t *testing.T) {
			w := newWorld(t)
			first := w.system(t, "first", map[string]string{"/motd": "first", "/conf/declared": "first", "/shadow": "ada:!:1:0:9:7:::\n"})
			kept := w.keeping(t, first, anew, `,"/etc/conf"`)
			w.switchTo(t, first) // upper 2
			must(t, os.WriteFile(w.at("etc/conf/mine"), []byte("mine"), 0o600))
			must(t, os.Chmod(w.at("etc/conf/declared"), 0o600)) // its content stays in the image
			w.switchTo(t, w.system(t, "between", map[string]string{"/motd": "between", "/shadow": "ada:!:1:0:9:7:::\n"}))
			if have := w.read("etc/conf/mine"); have != "(none)" {
				t.Fatalf("before it persists, there is %q", have)
			}
			if saved := w.savedIn(t, 2); !slices.Contains(saved, "/etc/conf/mine") {
				t.Errorf("what was let go is %q", saved)
			}
			const id = "fedcba9876543210fedcba9876543210\n"
			must(t, os.Remove(w.at("etc/machine-id")))
			must(t, os.WriteFile(w.at("etc/machine-id"), []byte(id), 0o444))
			if !anew {
				kept.Images["etc"], kept.Trees["etc"] = w.old.Images["etc"], w.old.Trees["etc"]
			}
			outcome := w.switchTo(t, kept)
			if !slices.Equal(outcome.Regained, []string{"/etc/conf"}) {
				t.Errorf("regained %q", outcome.Regained)
			}
			if mine, declared := w.read("etc/conf/mine"), w.read("etc/conf/declared"); mine != "mine" || declared != "first" {
				t.Errorf("persisted there are %q and %q", mine, declared)
			}
			if have := w.read("etc/machine-id"); have != id {
				t.Errorf("the machine's identity is an earlier one: %q", have)
			}

			// It is no other's any more: what is removed now stays removed.
			must(t, os.Remove(w.at("etc/conf/mine")))
			again := w.keeping(t, w.old, true, `,"/etc/conf","/etc/other"`)
			if outcome := w.switchTo(t, again); len(outcome.Regained) > 0 || w.read("etc/conf/mine") != "(none)" {
				t.Errorf("what a person removed is back: %q", outcome.Regained)
			}
			if have := w.read("etc/conf/declared"); have != "first" {
				t.Errorf("what is persisted was not carried on: %q", have)
			}
		})
	}
}

// TestWhatIsRegainedGoesWithTheSwitch goes back from a system that persists more.
func TestWhatIsRegainedGoesWithTheSwitch(t *testing.T) {
	for _, anew := range []bool{true, false} {
		t.Run(fmt.Sprintf("another etc %v", anew), func(t *testing.T) {
			w := newWorld(t)
			conf := filepath.Join(w.machine().upperOf(7).Upper(), "conf")
			must(t, os.MkdirAll(conf, 0o755))
			must(t, os.WriteFile(filepath.Join(conf, "mine"), []byte("mine"), 0o600))
			next := w.keeping(t, w.old, anew, `,"/etc/conf"`)
			p := w.plan()
			p.New, p.Trees = next.Digest, []plan.Tree{{Name: "usr", Live: true}}
			if anew {
				p.Trees = append(p.Trees, plan.Tree{Name: "etc", Live: true})
			}
			w.jobs.fail = "start first"
			if _, err := w.machine().Switch(t.Context(), p, w.old, next, false); err == nil {
				t.Fatal("a start that fails is no error")
			}
			if have := w.read("etc/conf/mine"); have != "(none)" {
				t.Errorf("after going back, there is %q", have)
			}
			_, err := w.machine().Switch(t.Context(), p, w.old, next, false)
			must(t, err)
			if have := w.read("etc/conf/mine"); have != "mine" {
				t.Errorf("the next time, there is %q", have)
			}
		})
	}
}
