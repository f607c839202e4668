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
)

// login is what logind notes of a user who is there: the files that
// sd_uid_get_sessions(3) reads. They are there also while nobody can be asked.
type login struct {
	name     string
	uid      uint32
	sessions bool // somebody is logged in, not only lingering
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
