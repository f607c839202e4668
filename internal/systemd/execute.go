package systemd

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// User is somebody whose manager is meant.
type User struct {
	Name     string
	UID, GID uint32
}

// Execute runs a program, as user when there is one, with nothing of the caller's
// environment and terminal, and gives what it prints. What it says on its error
// output is in the error.
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
	out, err := Execute(ctx, m.User, argv)
	return string(out), err
}
