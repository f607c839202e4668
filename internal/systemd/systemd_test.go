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
)

// recorder is a systemctl that notes what it is asked, and answers by its first
// words.
type recorder struct {
	asked   []string
	answers map[string]string
	fail    map[string]int // how often
}

func (r *recorder) run(_ context.Context, user *User, argv []string) ([]byte, error) {
	line := strings.Join(argv, " ")
	if user != nil {
		line = user.Name + ": " + line
	}
	r.asked = append(r.asked, line)
	for key, times := range r.fail {
		if strings.Contains(line, key) && times > 0 {
			r.fail[key]--
			return nil, errors.New("exit status 1")
		}
	}
	for key, answer := range r.answers {
		if strings.Contains(line, key) {
			return []byte(answer), nil
		}
	}
	return nil, nil
}

func TestUnitsAreListedByName(t *testing.T) {
	r := &recorder{answers: map[string]string{"list-units": `[
{"unit":"ssh.service","load":"loaded","active":"active","sub":"running","description":"x"},
{"unit":"gone.service","load":"not-found","active":"inactive","sub":"dead","description":"x"},
{"unit":"cron.service","load":"loaded","active":"failed","sub":"failed","description":"x"}]`}}
	have, err := Manager{Run: r.run}.Units(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Unit{{"cron.service", "loaded", "failed", "failed"}, {"ssh.service", "loaded", "active", "running"}}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if _, err := parseUnits([]byte("No units")); err == nil {
		t.Error("what is no JSON was read")
	}
}

func TestJobsOfUsersAreTheirManagers(t *testing.T) {
	r := &recorder{}
	ada := Manager{&User{"ada", 1000, 1000}, r.run}
	if err := errors.Join(ada.Do(t.Context(), Restart, []string{"a.service", "-b.service"}), ada.Do(t.Context(), Stop, nil), Manager{Run: r.run}.Reload(t.Context())); err != nil {
		t.Fatal(err)
	}
	want := []string{"ada: systemctl --user restart -- a.service -b.service", "systemctl daemon-reload"}
	if diff := cmp.Diff(want, r.asked); diff != "" {
		t.Error(diff)
	}
}

func TestANewManagerIsWaitedFor(t *testing.T) {
	r := &recorder{fail: map[string]int{"show": 2, "daemon-reexec": 1}}
	if err := (Manager{Run: r.run}).Reexec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.asked) != 4 {
		t.Errorf("%q", r.asked)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r.fail["show"] = 1000
	if err := (Manager{Run: r.run}).Reexec(ctx); err == nil {
		t.Error("a manager that never answers is taken for a new one")
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
