package facts

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stet/internal/drift"
)

// Where cron(8) and at(1) keep what people ask of them.
const (
	crontabs = "/var/spool/cron/crontabs"
	atJobs   = "/var/spool/cron/atjobs"
)

// schedules lists the tables and jobs. One that is a link leads to what is
// declared: neither program reads such.
func (m Machine) schedules(seen *drift.Seen) error {
	user, err := m.userNames()
	if err != nil {
		return err
	}
	for _, dir := range []string{crontabs, atJobs} {
		entries, err := os.ReadDir(m.at(dir))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, entry := range entries {
			at := path.Join(dir, entry.Name())
			info, err := entry.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			s := drift.Schedule{Path: at}
			s.Changed, _ = changed(m.at(at))
			if dir == crontabs {
				text, err := os.ReadFile(m.at(at))
				if errors.Is(err, fs.ErrNotExist) {
					continue // it went while we looked
				}
				if err != nil {
					return err
				}
				// cron takes the name for the user's, whoever owns the file.
				s.User, s.Entries = entry.Name(), cronEntries(string(text))
				if s.Entries == 0 {
					continue
				}
			} else {
				var ok bool
				if s.Job, s.Due, ok = parseJob(entry.Name()); !ok {
					continue // at's own counter and locks
				}
				if stat, ok := info.Sys().(*syscall.Stat_t); ok {
					s.User = user(stat.Uid)
				}
			}
			seen.Schedules = append(seen.Schedules, s)
		}
	}
	return nil
}

// cronEntries counts the lines of a crontab(5) that run something: neither
// comments nor variables.
func cronEntries(text string) (n int) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if name, _, ok := strings.Cut(line, "="); ok && !strings.ContainsAny(strings.TrimSpace(name), " \t") {
			continue
		}
		n++
	}
	return n
}

// parseJob reads the name of a job's file: the queue, one letter, or "=" while it
// runs; its number in five, and the minute since 1970 in eight hexadecimal digits.
func parseJob(name string) (job int, due time.Time, ok bool) {
	if len(name) != 1+5+8 {
		return 0, due, false
	}
	number, err := strconv.ParseUint(name[1:6], 16, 32)
	minute, errMinute := strconv.ParseUint(name[6:], 16, 32)
	return int(number), time.Unix(int64(minute)*60, 0).UTC(), err == nil && errMinute == nil && number > 0
}
