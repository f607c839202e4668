package systemd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// User is somebody whose manager is meant.
type User struct {
	Name     string
	UID, GID uint32
}

// Unit is what a manager says of one of its units.
type Unit struct {
	Name   string `json:"unit"`
	Load   string `json:"load"`
	Active string `json:"active"`
	Sub    string `json:"sub"`
}

// Manager is one running systemd.
type Manager struct {
	User *User // nil: the system's
	Run  Runner
}

// Runner runs a program and gives what it prints. What it says on its error
// output is in the error.
type Runner func(ctx context.Context, user *User, argv []string) ([]byte, error)

// System is the system's manager.
func System() Manager { return Manager{Run: Execute} }

// Of is the manager of a user.
func Of(u User) Manager { return Manager{&u, Execute} }

// Execute runs argv, as user when there is one, with nothing of the caller's
// environment and terminal.
func Execute(ctx context.Context, user *User, argv []string) ([]byte, error) {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 5 * time.Second
	command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", "SYSTEMD_ASK_PASSWORD=0"}
	command.Dir = "/"
	if user != nil {
		command.Env = append(command.Env, fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", user.UID))
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user.UID, Gid: user.GID}}
	}
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		if text := strings.TrimSpace(said.String()); text != "" {
			return out, fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, text)
		}
		return out, fmt.Errorf("%s: %w", filepath.Base(argv[0]), err)
	}
	return out, nil
}

func (m Manager) systemctl(ctx context.Context, arguments ...string) ([]byte, error) {
	argv := []string{"systemctl"}
	if m.User != nil {
		argv = append(argv, "--user")
	}
	return m.Run(ctx, m.User, append(argv, arguments...))
}

// Units lists the units that are not inactive, by name.
func (m Manager) Units(ctx context.Context) ([]Unit, error) {
	out, err := m.systemctl(ctx, "list-units", "--full", "--output=json")
	if err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	return parseUnits(out)
}

// parseUnits reads what list-units prints. What is not loaded and does nothing
// is no unit that anybody waits for.
func parseUnits(text []byte) ([]Unit, error) {
	var units []Unit
	if err := json.Unmarshal(text, &units); err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	units = slices.DeleteFunc(units, func(u Unit) bool { return u.Active == "inactive" })
	slices.SortFunc(units, func(a, b Unit) int { return strings.Compare(a.Name, b.Name) })
	return units, nil
}

// Verb is what is done to units, as systemctl(1) calls it.
type Verb string

// The verbs.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
	Reload  Verb = "reload"
)

// Do has jobs done for all units at once, in the order that the units ask for,
// and waits for every one of them.
func (m Manager) Do(ctx context.Context, verb Verb, units []string) error {
	if len(units) == 0 {
		return nil
	}
	_, err := m.systemctl(ctx, append([]string{string(verb), "--"}, units...)...)
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, strings.Join(units, " "), err)
	}
	return nil
}

// ResetFailed forgets that units failed; so starting them again is not too
// often.
func (m Manager) ResetFailed(ctx context.Context, units []string) error {
	if len(units) == 0 {
		return nil
	}
	if _, err := m.systemctl(ctx, append([]string{"reset-failed", "--"}, units...)...); err != nil {
		return fmt.Errorf("reset %s: %w", strings.Join(units, " "), err)
	}
	return nil
}

// Reload has the manager read its units again.
func (m Manager) Reload(ctx context.Context) error {
	if _, err := m.systemctl(ctx, "daemon-reload"); err != nil {
		return fmt.Errorf("reload the manager%s: %w", m.of(), err)
	}
	return nil
}

// Reexec has the manager become its program anew, and waits until it answers.
func (m Manager) Reexec(ctx context.Context) error {
	// It says nothing when it is done: the connection breaks.
	_, failed := m.systemctl(ctx, "daemon-reexec")
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		_, err := m.systemctl(ctx, "show", "--property=Version")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start the manager%s anew: %w", m.of(), errors.Join(failed, err))
		case <-time.After(wait):
		}
	}
}

func (m Manager) of() string {
	if m.User == nil {
		return ""
	}
	return " of " + m.User.Name
}

// Said gives the last lines that units wrote to the journal since a time.
func (m Manager) Said(ctx context.Context, units []string, since time.Time, lines int) (string, error) {
	if len(units) == 0 {
		return "", nil
	}
	argv := []string{"journalctl", "--quiet", "--no-pager", "--output=short", fmt.Sprintf("--lines=%d", lines), fmt.Sprintf("--since=@%d", since.Unix())}
	selector := "--unit="
	if m.User != nil {
		selector = "--user-unit="
	}
	for _, u := range units {
		argv = append(argv, selector+u)
	}
	out, err := m.Run(ctx, m.User, argv)
	return string(out), err
}

// Users are those whose manager runs, by name, as logind and the kernel tell:
// run is where /run is mounted.
func Users(run string) ([]User, error) {
	sessions, err := readUsers(run)
	if err != nil {
		return nil, err
	}
	var users []User
	for _, s := range sessions {
		dir := filepath.Join(run, "user", fmt.Sprint(s.uid))
		if _, err := os.Stat(filepath.Join(dir, "systemd/private")); err != nil {
			continue
		}
		info, err := os.Stat(dir)
		if err != nil {
			continue // it has ended
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			users = append(users, User{s.name, s.uid, stat.Gid})
		}
	}
	return users, nil
}

// LoggedIn are the names of those who have a session, sorted.
func LoggedIn(run string) ([]string, error) {
	all, err := readUsers(run)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range all {
		if s.sessions {
			names = append(names, s.name)
		}
	}
	return names, nil
}
