package systemd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// login is what logind notes of a user who is there: the files that
// sd_uid_get_sessions(3) reads. They are there also while nobody can be asked.
type login struct {
	name     string
	uid      uint32
	sessions bool // somebody is logged in, not only lingering
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

// readUsers reads them, by name.
func readUsers(run string) ([]login, error) {
	dir := filepath.Join(run, "systemd/users")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no logind
	}
	if err != nil {
		return nil, fmt.Errorf("look who is logged in: %w", err)
	}
	var all []login
	for _, entry := range entries {
		uid, err := strconv.ParseUint(entry.Name(), 10, 32)
		if err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look who is logged in: %w", err)
		}
		if user := parseLogin(string(text)); user.name != "" {
			user.uid = uint32(uid)
			all = append(all, user)
		}
	}
	slices.SortFunc(all, func(a, b login) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func parseLogin(text string) (l login) {
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "NAME":
			l.name = value
		case "SESSIONS":
			l.sessions = strings.TrimSpace(value) != ""
		}
	}
	return l
}
