package systemd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/systemd/systemdtest"
)

// served is the system's manager, and what it is asked is of.
func served(t *testing.T, asked *systemdtest.Manager) Manager {
	t.Helper()
	m := Manager{Runtime: t.TempDir()}
	asked.Serve(t, filepath.Join(m.Runtime, "systemd/private"))
	return m
}

func TestUnitsAreListedByName(t *testing.T) {
	followed := systemdtest.Of("dev-vda1.device", "loaded", "active", "plugged")
	followed.Following = "dev-disk.device"
	m := served(t, &systemdtest.Manager{Units: []systemdtest.Unit{
		systemdtest.Of("ssh.service", "loaded", "active", "running"),
		systemdtest.Of("gone.service", "not-found", "inactive", "dead"),
		systemdtest.Of("cron.service", "loaded", "failed", "failed"),
		followed,
	}})
	have, err := m.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Unit{{"cron.service", "loaded", "failed", "failed"}, {"ssh.service", "loaded", "active", "running"}}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	failed, err := m.Failed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[:1], failed); diff != "" {
		t.Error(diff)
	}
}

// TestAManagerThatHearsLateIsAskedAgain has one that does not look at the first message
// that comes.
func TestAManagerThatHearsLateIsAskedAgain(t *testing.T) {
	m := served(t, &systemdtest.Manager{Late: true})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := m.Units(ctx); err != nil {
		t.Error(err)
	}
}

func TestAConnectionIsKept(t *testing.T) {
	asked := &systemdtest.Manager{Results: map[string]string{"gone.service": "lost"}}
	m := served(t, asked).Keep()
	met := func(want int, what string) {
		t.Helper()
		if have := asked.Met(); have != want {
			t.Errorf("%s: %d connections, want %d", what, have, want)
		}
	}
	first, cancel := context.WithCancel(t.Context())
	if err := errors.Join(m.Do(first, Stop, []string{"a.service"}), m.Do(first, Start, []string{"a.service"})); err != nil {
		t.Fatal(err)
	}
	cancel() // who asked first has gone
	if _, err := m.Units(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Units(first); !errors.Is(err, context.Canceled) {
		t.Errorf("who has gone is answered: %v", err)
	}
	met(1, "four questions")
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	met(1, "to reload")
	if err := m.Do(t.Context(), Stop, []string{"gone.service"}); err == nil {
		t.Error("a manager that went away has done its job")
	}
	met(2, "after the reload")
	if _, err := m.Units(t.Context()); err != nil {
		t.Errorf("it broke, and is not made anew: %v", err)
	}
	met(3, "after it broke")
	m.HangUp()
	m.HangUp()
	if _, err := m.Units(t.Context()); err != nil {
		t.Error(err)
	}
	met(4, "after hanging up")
	m.HangUp()
}

func TestJobsAreWaitedFor(t *testing.T) {
	asked := &systemdtest.Manager{
		Results: map[string]string{"ill.service": "failed", "wrong.service": "failed", "odd.mount": "failed", "unmet.service": "skipped", "gone.service": "lost"},
		Properties: map[string]any{
			"wrong_2eservice/Result": "exit-code", "wrong_2eservice/ExecMainStatus": int32(78), "odd_2emount/Result": "timeout",
		},
	}
	m := served(t, asked)
	if err := errors.Join(m.Do(t.Context(), Restart, []string{"a.service", "-b.service", "unmet.service"}), m.Do(t.Context(), Stop, nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"RestartUnit a.service replace", "RestartUnit -b.service replace", "RestartUnit unmet.service replace"}, asked.Asked()); diff != "" {
		t.Error(diff)
	}
	want := "start ill.service: it failed\nstart odd.mount: it took too long\nstart wrong.service: its program ended with status 78"
	if err := m.Do(t.Context(), Start, []string{"wrong.service", "a.service", "ill.service", "odd.mount"}); err == nil || err.Error() != want {
		t.Errorf("three of four failed: %v", err)
	}
	if err := m.Do(t.Context(), Stop, []string{"a.service", "gone.service"}); err == nil {
		t.Error("a manager that went away has done its jobs")
	}
}

func TestTypesOfServices(t *testing.T) {
	m := served(t, &systemdtest.Manager{Properties: map[string]any{"a_2eservice/Type": "forking", "b_2eservice/Type": "simple"}})
	types, err := m.Types(t.Context(), []string{"a.service", "c.socket", "b.service"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a.service": "forking", "b.service": "simple"}, types); diff != "" {
		t.Error(diff)
	}
}

func TestAnotherUsersManagerIsItsOwn(t *testing.T) {
	asked := &systemdtest.Manager{}
	m := Manager{User: &User{"ada", 1000, 1000}, Runtime: t.TempDir()}
	if err := m.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "reload the manager of ada: ") {
		t.Errorf("without one: %v", err)
	}
	asked.Serve(t, filepath.Join(m.Runtime, "user/1000/systemd/private"))
	if err := m.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsUnknownHasNotFailed(t *testing.T) {
	m := served(t, &systemdtest.Manager{Refuse: map[string][]string{"ResetFailedUnit": {destination + ".NoSuchUnit", "org.freedesktop.DBus.Error.AccessDenied"}}})
	if err := m.ResetFailed(t.Context(), []string{"gone.service"}); err != nil {
		t.Error(err)
	}
	if err := m.ResetFailed(t.Context(), []string{"a.service"}); err == nil {
		t.Error("a refusal is no error")
	}
}

func TestServicesAreLaunched(t *testing.T) {
	asked := &systemdtest.Manager{Refuse: map[string][]string{}}
	m := served(t, asked)
	s := Service{Name: "job.service", Description: "a job", Command: []string{"/usr/bin/true"}, Settings: []Setting{{"KillMode", "mixed"}}}
	if err := m.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	s.After = time.Hour
	if err := m.Launch(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"StartTransientUnit job.service fail Description=a job Type=exec CollectMode=inactive-or-failed Environment=[] ExecStart=[[/usr/bin/true [/usr/bin/true] false]] KillMode=mixed",
		"StartTransientUnit job.timer fail Description=a job CollectMode=inactive-or-failed RemainAfterElapse=false AccuracyUSec=1000000 TimersMonotonic=[[OnActiveSec 3600000000]]",
	}
	if diff := cmp.Diff(want, asked.Asked()); diff != "" {
		t.Error(diff)
	}
	asked.Refuse["StartTransientUnit"] = []string{destination + ".UnitExists"}
	if err := m.Launch(t.Context(), s); !errors.Is(err, ErrExists) {
		t.Error(err)
	}
}

func TestWhatAUnitIsIsAsked(t *testing.T) {
	asked := &systemdtest.Manager{Properties: map[string]any{"a_2db_2eservice/InvocationID": []byte{0x0a, 0xbc}}}
	m := served(t, asked)
	if state, err := m.ActiveState(t.Context(), "a.service"); err != nil || state != "active" {
		t.Errorf("%q, %v", state, err)
	}
	if run, err := m.Invocation(t.Context(), "a-b.service"); err != nil || run != "0abc" {
		t.Errorf("%q, %v", run, err)
	}
	if run, err := m.Invocation(t.Context(), "idle.service"); err != nil || run != "" {
		t.Errorf("%q, %v", run, err)
	}
	if path := unitPath("1a@x.service"); path != managerPath+"/unit/_31a_40x_2eservice" {
		t.Error(path)
	}
}

func TestANewManagerIsWaitedFor(t *testing.T) {
	asked := &systemdtest.Manager{Refuse: map[string][]string{"Get": {"org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.NoReply"}}}
	if err := served(t, asked).Reexec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(asked.Asked()) != 4 {
		t.Errorf("%q", asked.Asked())
	}
}

func TestProcessesHaveUnits(t *testing.T) {
	for cgroup, want := range map[string][2]string{
		"0::/system.slice/nginx.service\n":                         {"nginx.service", ""},
		"0::/system.slice/system-getty.slice/getty@tty1.service\n": {"getty@tty1.service", ""},
		"0::/system.slice/docker.service/delegated/x.service\n":    {"docker.service", ""},
		"0::/init.scope\n": {"init.scope", ""},
		"0::/user.slice/user-1000.slice/session-3.scope\n":                                     {"session-3.scope", ""},
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.slice/y.service/z\n": {"user@1000.service", "y.service"},
		"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n":                        {"user@1000.service", "init.scope"},
		"12:cpu:/x\n0::/system.slice/a.service\n":                                              {"a.service", ""},
		"0::/\n":                             {"", ""},
		"0::/system.slice/_cgroup.service\n": {"cgroup.service", ""},
		"":                                   {"", ""},
	} {
		if system, user := UnitOf(cgroup); [2]string{system, user} != want {
			t.Errorf("%q: %q %q, want %q", cgroup, system, user, want)
		}
	}
}

func FuzzUnitOf(f *testing.F) {
	f.Add("0::/user.slice/user-1000.slice/user@1000.service/app.slice/y.service\n")
	f.Fuzz(func(t *testing.T, text string) {
		if system, user := UnitOf(text); strings.Contains(system+user, "/") {
			t.Errorf("%q %q", system, user)
		}
	})
}

func TestUsersAreThoseOfLogind(t *testing.T) {
	run := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(run, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(run, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if users, err := Users(run); err != nil || len(users) != 0 {
		t.Errorf("without logind: %v, %v", users, err)
	}
	write("systemd/users/1001", "# private\nNAME=grace\nSTATE=active\nSESSIONS=3 4\n")
	write("systemd/users/1000", "NAME=ada\nSTATE=lingering\nSESSIONS=\n")
	write("systemd/users/1002", "NAME=eve\nSTATE=closing\n")
	write("systemd/users/x", "NAME=nobody\nSESSIONS=1\n")
	write("user/1000/systemd/private", "")
	write("user/1001/systemd/private", "")
	users, err := Users(run)
	if err != nil || len(users) != 2 || users[0].Name != "ada" || users[1].UID != 1001 {
		t.Errorf("%+v, %v", users, err)
	}
	names, err := LoggedIn(run)
	if diff := cmp.Diff([]string{"grace"}, names); err != nil || diff != "" {
		t.Error(diff, err)
	}
}

func TestAProgramThatFailsIsQuoted(t *testing.T) {
	_, err := Execute(t.Context(), nil, []string{"sh", "-c", "echo no such unit >&2; exit 4"})
	if err == nil || !strings.Contains(err.Error(), "no such unit") {
		t.Error(err)
	}
}
