package activate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"stet/internal/fault"
	"stet/internal/mount"
	"stet/internal/plan"
	"stet/internal/state"
)

// forwards are the jobs of a plan, in the order that docs/formats/plan.md gives.
var forwards = []string{
	"stop gone.service first.service first.socket",
	"udevadm control --reload", "daemon-reexec", "ada: daemon-reload",
	"reload told.service", "restart web.service", "ada: restart hers.service", "start first.socket first.service fresh.service",
}

func TestASwitchDoesWhatThePlanSays(t *testing.T) {
	w := newWorld(t)
	w.jobs.hook = func(job string) {
		want := "new"
		if strings.HasPrefix(job, "stop ") {
			want = "old"
		}
		if page, err := os.ReadFile(w.at("usr/bin/page")); err != nil || string(page) != want {
			t.Errorf("at %q /usr is %q (%v), want %q", job, page, err, want)
		}
	}
	m := w.machine()
	m.Meanwhile = func() { w.jobs.done = append(w.jobs.done, "meanwhile") }
	outcome, err := m.Switch(t.Context(), w.plan(), w.old, w.new, false)
	must(t, err)
	if diff := cmp.Diff(append([]string{"meanwhile"}, forwards...), w.jobs.done); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(w.looksNew(t), w.looks(t)); diff != "" {
		t.Error(diff)
	}
	if saved, err := os.ReadFile(filepath.Join(outcome.Saved, "motd")); err != nil || string(saved) != "drift" {
		t.Errorf("the drift is not saved: %q, %v", saved, err)
	}
	if len(outcome.Problems) != 0 {
		t.Error(outcome.Problems)
	}
	for _, name := range []string{"usr/x", "usr/lib/modules/x"} {
		if err := os.WriteFile(w.at(name), nil, 0o644); !errors.Is(err, unix.EROFS) {
			t.Errorf("write %s: %v, want %v", name, err, unix.EROFS)
		}
	}
	devices, err := state.ReadDevices(w.at(state.DevicesFile))
	must(t, err)
	device, err := deviceOf(w.at("usr"))
	must(t, err)
	if devices[device].Tree != "usr-new" {
		t.Errorf("the device of /usr is noted as %+v", devices[device])
	}
}

// TestTheJournalRestartsLast has all other jobs be written down: what the manager
// says while the journal restarts is lost.
func TestTheJournalRestartsLast(t *testing.T) {
	const restart = "restart systemd-journald.service"
	for name, c := range map[string]struct {
		add  []plan.Unit
		drop string // nothing else restarts
		want []string
	}{
		"among others": {
			add: []plan.Unit{{UnitName: plan.UnitName{Name: "systemd-journald.service"}, Action: plan.Restart}, {UnitName: plan.UnitName{Name: "z.service"}, Action: plan.Restart}},
			want: []string{
				"reload told.service", "restart z.service web.service", "ada: restart hers.service", "start first.socket first.service fresh.service", restart,
			},
		},
		"alone": {
			add:  []plan.Unit{{UnitName: plan.UnitName{Name: "systemd-journald.service"}, Action: plan.Restart}},
			drop: "web.service",
			want: []string{"reload told.service", "ada: restart hers.service", "start first.socket first.service fresh.service", restart},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.plan()
			p.Units = append(c.add, slices.DeleteFunc(p.Units, func(u plan.Unit) bool { return u.Name == c.drop })...)
			w.jobs.fail = restart
			if _, err := w.machine().Switch(t.Context(), p, w.old, w.new, false); err == nil {
				t.Fatal("a restart that fails is no error")
			}
			at := slices.Index(w.jobs.done, c.want[0])
			if at < 0 {
				t.Fatalf("%q", w.jobs.done)
			}
			if diff := cmp.Diff(c.want, w.jobs.done[at:at+len(c.want)]); diff != "" {
				t.Error(diff)
			}
			if last := w.jobs.done[len(w.jobs.done)-1]; last != restart {
				t.Errorf("on the way back %q is last", last)
			}
		})
	}
}

func TestTheKernelThatRunsKeepsItsModules(t *testing.T) {
	w := newWorld(t)
	p := w.plan()
	p.Trees[1].Live = false
	_, err := w.machine().Switch(t.Context(), p, w.old, w.new, false)
	must(t, err)
	want := w.looksNew(t)
	want["usr/lib/modules/6.12/modules.dep"] = "old"
	if diff := cmp.Diff(want, w.looks(t)); diff != "" {
		t.Error(diff)
	}
	boot, err := w.machine().readBoot()
	must(t, err)
	if boot.Images["modules"] != w.old.Images["modules"] || boot.Images["usr"] != w.new.Images["usr"] {
		t.Errorf("what is mounted is recorded as %v", boot.Images)
	}
}

func TestOnlyOneTreeMayBeAnother(t *testing.T) {
	for _, name := range []string{"usr", "etc", "modules"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for tree := range w.new.Images {
				if tree != name {
					w.new.Images[tree], w.new.Trees[tree] = w.old.Images[tree], w.old.Trees[tree]
				}
			}
			p := w.plan()
			p.Trees = []plan.Tree{{Name: name, Live: true}}
			w.jobs.fail = "start first"
			if _, err := w.machine().Switch(t.Context(), p, w.old, w.new, false); err == nil {
				t.Fatal("a start that fails is no error")
			}
			if diff := cmp.Diff(w.looksOld(t), w.looks(t)); diff != "" {
				t.Errorf("went back: %s", diff)
			}
			_, err := w.machine().Switch(t.Context(), p, w.old, w.new, false)
			must(t, err)
			want := w.looksOld(t)
			want["runs"] = w.new.Digest
			switch name {
			case "usr":
				want["usr/bin/page"] = "new"
			case "modules":
				want["usr/lib/modules/6.12/modules.dep"] = "new"
			case "etc":
				want = w.looksNew(t)
				want["usr/bin/page"], want["usr/lib/modules/6.12/modules.dep"] = "old", "old"
				delete(want, "var/seed")
			}
			if diff := cmp.Diff(want, w.looks(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatFailsGoesBack(t *testing.T) {
	for at, backwards := range map[string][]string{
		"stop":          {"start first.socket first.service gone.service"},
		"udevadm":       {"daemon-reexec", "ada: daemon-reload", "start first.socket first.service gone.service"},
		"daemon-reexec": {"daemon-reexec", "ada: daemon-reload", "start first.socket first.service gone.service"},
		"ada: restart": {
			"daemon-reexec", "ada: daemon-reload",
			"stop fresh.service", "reload told.service", "restart first.socket first.service web.service", "ada: restart hers.service", "start gone.service",
		},
	} {
		t.Run(at, func(t *testing.T) {
			w := newWorld(t)
			w.jobs.fail = at
			err := w.change()
			went := &WentBackError{}
			if !errors.As(err, &went) || went.Left != nil || !strings.Contains(err.Error(), "failed") {
				t.Fatalf("%v", err)
			}
			if at == "ada: restart" && (went.Said != "journal of hers.service" || went.Units[0].User != "ada") {
				t.Errorf("%+v", went)
			}
			begin := slices.IndexFunc(forwards, func(job string) bool { return strings.HasPrefix(job, at) })
			want := slices.Concat(forwards[:begin+1], backwards)
			if diff := cmp.Diff(want, w.jobs.done); diff != "" {
				t.Error(diff)
			}
			want2 := w.looksOld(t)
			have := w.looks(t)
			delete(have, "var/seed") // a seed is replaced while nobody changed it
			if diff := cmp.Diff(want2, have); diff != "" {
				t.Error(diff)
			}
			// The old /etc is the same mount, which can be written to.
			must(t, os.WriteFile(w.at("etc/motd"), []byte("drift"), 0o644))
			w.jobs.done = nil
			must(t, w.change())
			if diff := cmp.Diff(w.looksNew(t), w.looks(t)); diff != "" {
				t.Errorf("the next switch: %s", diff)
			}
		})
	}
}

func TestAUnitThatFailsAfterwardsGoesBack(t *testing.T) {
	w := newWorld(t)
	w.jobs.failed = []string{"old-trouble.service"}
	w.jobs.hook = func(job string) {
		if strings.HasPrefix(job, "start first") {
			w.jobs.failed = append(w.jobs.failed, "web.service")
		}
	}
	err := w.change()
	went := &WentBackError{}
	if !errors.As(err, &went) || err.Error() != "failed now: web.service" {
		t.Fatalf("%v", err)
	}
	if have := w.looks(t)["runs"]; have != w.old.Digest {
		t.Errorf("%s runs", have)
	}
	w.jobs.failed, w.jobs.hook = []string{"old-trouble.service"}, nil
	must(t, w.change()) // what had failed before is no reason
}

// A unit of the new system that did not start is unknown where the old trees are back.
// TestOnlyWhatProvesNothingIsWaitedFor has a unit fall over a while after its start. Who
// says itself that it is ready is believed.
func TestOnlyWhatProvesNothingIsWaitedFor(t *testing.T) {
	for kind, back := range map[string]bool{"simple": true, "exec": true, "forking": false, "notify": false} {
		w := newWorld(t)
		w.jobs.types = map[string]string{"web.service": kind}
		w.jobs.hook = func(job string) {
			if strings.HasPrefix(job, "start ") {
				w.jobs.falls = time.Now().Add(settle / 2)
			}
		}
		var went *WentBackError
		if err := w.change(); errors.As(err, &went) != back {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestWhatDidNotStartNeedNotBeStopped(t *testing.T) {
	w := newWorld(t)
	w.jobs.fail, w.jobs.gone = "start first", true
	err := w.change()
	went := &WentBackError{}
	if !errors.As(err, &went) || went.Left != nil {
		t.Fatalf("%v", err)
	}
	if slices.Contains(w.jobs.done, "stop fresh.service") {
		t.Errorf("it was stopped: %q", w.jobs.done)
	}
}

func TestWhatCannotBeKeptGoesBack(t *testing.T) {
	w := newWorld(t)
	m := w.machine()
	m.Keep = func(context.Context) error {
		if have := w.looks(t)["runs"]; have != w.new.Digest {
			t.Errorf("kept before all was done: %s runs", have)
		}
		return errors.New("the ESP is full")
	}
	_, err := m.Switch(t.Context(), w.plan(), w.old, w.new, false)
	if went := (*WentBackError)(nil); !errors.As(err, &went) || went.Left != nil || err.Error() != "the ESP is full" {
		t.Fatalf("%v", err)
	}
	have := w.looks(t)
	delete(have, "var/seed")
	if diff := cmp.Diff(w.looksOld(t), have); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsChangedBeforeAllIsThere(t *testing.T) {
	w := newWorld(t)
	good := w.new.Images["etc"]
	w.new.Images["etc"] = strings.Repeat("0", 64)
	err := w.change()
	if went := (*WentBackError)(nil); err == nil || errors.As(err, &went) {
		t.Fatalf("%v", err)
	}
	if diff := cmp.Diff(w.looksOld(t), w.looks(t)); diff != "" || len(w.jobs.done) > 1 {
		t.Error(diff, w.jobs.done)
	}
	w.new.Images["etc"] = good
	must(t, w.change())
}

func TestAFullRunChangesNothing(t *testing.T) {
	w := newWorld(t)
	boot, err := os.ReadFile(w.at(state.BootFile))
	must(t, err)
	must(t, mount.Tmpfs(w.at("run"), 0, "size=16k"))
	must(t, os.Mkdir(w.at("run/stet"), 0o755))
	must(t, os.WriteFile(w.at(state.BootFile), boot, 0o644))
	filler, err := os.Create(w.at("run/filler"))
	must(t, err)
	defer filler.Close()
	for block := make([]byte, 4096); err == nil; {
		_, err = filler.Write(block)
	}
	err = w.change()
	if went := (*WentBackError)(nil); !errors.Is(err, unix.ENOSPC) || errors.As(err, &went) || len(w.jobs.done) != 0 {
		t.Fatalf("%v %v", err, w.jobs.done)
	}
	want := w.looksOld(t)
	want["mounts"] = "etc run usr var"
	if diff := cmp.Diff(want, w.looks(t)); diff != "" {
		t.Error(diff)
	}
}

func TestAMountInATreeIsNotLost(t *testing.T) {
	w := newWorld(t)
	must(t, mount.Tmpfs(w.at("usr/lib/modules/6.12"), 0, ""))
	err := w.change()
	if err == nil || !strings.Contains(err.Error(), "usr/lib/modules/6.12 is mounted inside /usr") {
		t.Fatalf("%v", err)
	}
	if len(w.jobs.done) != 0 {
		t.Error(w.jobs.done)
	}
}

func TestAPersonDecidesFirst(t *testing.T) {
	w := newWorld(t)
	p := w.plan()
	p.Decisions = []plan.Decision{{Kind: plan.DecideConflict, What: "/etc/motd", Why: "was changed"}}
	_, err := w.machine().Switch(t.Context(), p, w.old, w.new, false)
	undecided := &UndecidedError{}
	if !errors.As(err, &undecided) || len(w.jobs.done) != 0 {
		t.Fatalf("%v %v", err, w.jobs.done)
	}
	_, err = w.machine().Switch(t.Context(), p, w.old, w.new, true)
	must(t, err)
	w = newWorld(t)
	p = w.plan()
	p.Decisions = []plan.Decision{{Kind: plan.DecideSpace, What: "the store", Why: "is full"}}
	if _, err := w.machine().Switch(t.Context(), p, w.old, w.new, true); !errors.As(err, &undecided) {
		t.Errorf("a full store was passed over: %v", err)
	}
}

func TestAPlanOfYesterdayIsRefused(t *testing.T) {
	w := newWorld(t)
	p := w.plan()
	must(t, w.change())
	w.jobs.done = nil
	if _, err := w.machine().Switch(t.Context(), p, w.old, w.new, false); err == nil || !strings.Contains(err.Error(), "make it again") || len(w.jobs.done) != 0 {
		t.Errorf("%v %v", err, w.jobs.done)
	}
}

func TestASwitchIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	unlock, err := w.machine().lock()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*settle)
	defer cancel()
	if err := w.machine().Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a switch that goes on is not waited for: %v", err)
	}
	time.AfterFunc(settle, unlock)
	must(t, w.machine().Wait(t.Context()))
}

func TestThereIsOneSwitchAtATime(t *testing.T) {
	w := newWorld(t)
	w.jobs.hook = func(string) {
		if _, err := w.machine().Switch(t.Context(), w.plan(), w.old, w.new, false); !errors.Is(err, ErrBusy) {
			t.Errorf("a second one: %v", err)
		}
	}
	must(t, w.change())
}

// switchInterrupted is a switch in a process of its own, which a fault point
// ends.
func switchInterrupted(base string) error {
	text, err := os.ReadFile(filepath.Join(base, "systems"))
	if err != nil {
		return err
	}
	var systems [2]System
	if err := json.Unmarshal(text, &systems); err != nil {
		return err
	}
	w := &world{base: base, jobs: &jobs{}, old: systems[0], new: systems[1]}
	return w.change()
}

func TestWhatAKillLeavesIsTakenBackOrDone(t *testing.T) {
	points := []fault.Point{
		fault.TreesStaged, fault.UnitsStopped, fault.EtcCarried, fault.UsrReplaced, fault.EtcReplaced, fault.VarApplied,
		fault.TreesReplaced, fault.TasksDone, fault.ManagersTold, fault.UnitsStarted, fault.SwitchHealthy, fault.SwitchDone,
	}
	for _, point := range points {
		t.Run(string(point), func(t *testing.T) {
			w := newWorld(t)
			text, err := json.Marshal([2]System{w.old, w.new})
			must(t, err)
			must(t, os.WriteFile(filepath.Join(w.base, "systems"), text, 0o600))
			child := exec.Command("/proc/self/exe")
			child.Env = append(os.Environ(), interrupted+"="+w.base, "STET_FAULT="+string(point))
			out, err := child.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("%q was not reached: %v %s", point, err, out)
			}
			if point == fault.SwitchDone {
				if diff := cmp.Diff(w.looksNew(t), w.looks(t)); diff != "" {
					t.Error(diff)
				}
				return
			}
			there, err := w.machine().Recover(t.Context())
			must(t, err)
			if !there {
				t.Error("nothing was there to be taken back")
			}
			have := w.looks(t)
			delete(have, "var/seed")
			if diff := cmp.Diff(w.looksOld(t), have); diff != "" {
				t.Error(diff)
			}
			if there, err := w.machine().Recover(t.Context()); there || err != nil {
				t.Errorf("a second time: %v %v", there, err)
			}
			must(t, w.change())
			if diff := cmp.Diff(w.looksNew(t), w.looks(t)); diff != "" {
				t.Errorf("the next switch: %s", diff)
			}
		})
	}
}

// TestNoOpenFailsWhileTreesAreReplaced swaps /usr and /etc fifty times under
// readers of constant paths.
func TestNoOpenFailsWhileTreesAreReplaced(t *testing.T) {
	w := newWorld(t)
	var opens, failed atomic.Int64
	var last atomic.Value
	stop, done := make(chan struct{}), make(chan error, 2)
	for range 2 {
		go func() {
			for {
				for _, name := range []string{"usr/bin/page", "etc/ssh/sshd_config", "etc/machine-id", "usr/lib/modules/6.12/modules.dep"} {
					select {
					case <-stop:
						done <- nil
						return
					default:
					}
					file, err := os.Open(w.at(name))
					opens.Add(1)
					if err != nil {
						failed.Add(1)
						last.Store(err.Error())
						continue
					}
					file.Close()
				}
			}
		}()
	}
	old, next := w.old, w.new
	for range 50 {
		p := w.plan()
		p.Old, p.New, p.Units, p.Managers, p.Tasks = old.Digest, next.Digest, nil, nil, nil
		_, err := w.machine().Switch(t.Context(), p, old, next, false)
		must(t, err)
		old, next = next, old
	}
	close(stop)
	<-done
	<-done
	t.Logf("%d opens, %d failed", opens.Load(), failed.Load())
	if failed.Load() != 0 || opens.Load() < 1000 {
		t.Errorf("%d of %d opens failed, the last one by %v", failed.Load(), opens.Load(), last.Load())
	}
	if have := w.looks(t)["mounts"]; have != "etc usr var" {
		t.Errorf("mounts that are left: %s", have)
	}
}

func TestServicesThatMustNotWriteToEtcStillCannot(t *testing.T) {
	w := newWorld(t)
	// A service with a mount namespace of its own, in which /etc is read-only.
	const script = `mount -o remount,bind,ro "$0/etc" && echo ready && read _ && echo "$(cat "$0/etc/motd")" && touch "$0/etc/x" 2>/dev/null; echo "$?"`
	service := exec.Command("unshare", "--mount", "--propagation", "slave", "sh", "-c", script, w.at(""))
	in, err := service.StdinPipe()
	must(t, err)
	out, err := service.StdoutPipe()
	must(t, err)
	service.Stderr = os.Stderr
	must(t, service.Start())
	defer func() { _ = service.Process.Kill(); _ = service.Wait() }()
	var word string
	_, err = fmt.Fscanln(out, &word)
	must(t, err)
	w.jobs.pids = map[string][]int{"a.service": {service.Process.Pid}}
	p := w.plan()
	p.Protect = []plan.UnitName{{Name: "a.service"}}
	_, err = w.machine().Switch(t.Context(), p, w.old, w.new, false)
	must(t, err)
	fmt.Fprintln(in)
	var motd, status string
	_, err = fmt.Fscanln(out, &motd)
	must(t, err)
	_, err = fmt.Fscanln(out, &status)
	must(t, err)
	if motd != "new" || status == "0" {
		t.Errorf("the service sees %q, and writing gave %s", motd, status)
	}
}
