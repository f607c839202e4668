package mount

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// An Info is one mount of a mount namespace, as proc_pid_mountinfo(5) tells it.
type Info struct {
	ID, Parent int
	Device     string // "MAJOR:MINOR", decimal
	Root       string // what of its file system is mounted
	Point      string // where, seen from the process's root
	Options    string // of the mount itself, separated by commas
	Shared     int    // its peer group; 0: it is in none
	Master     int    // the peer group whose mounts it follows; 0: none
	Type       string
	Source     string
}

// ReadOnly reports whether the mount refuses writes.
func (i *Info) ReadOnly() bool { return hasOption(i.Options, "ro") }

func hasOption(options, option string) bool {
	for o := range strings.SplitSeq(options, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// ParseInfo reads a mountinfo. Mounts are in the kernel's order: of two at the
// same point, the later one is on top.
func ParseInfo(text string) ([]Info, error) {
	var all []Info
	for line := range strings.Lines(text) {
		info, err := parseInfoLine(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("read mountinfo: %q: %w", line, err)
		}
		all = append(all, info)
	}
	return all, nil
}

func parseInfoLine(line string) (info Info, err error) {
	fields := strings.Split(line, " ")
	separator := slices.Index(fields, "-")
	if separator < 6 || len(fields) < separator+3 {
		return info, fmt.Errorf("it has too few fields")
	}
	if info.ID, err = strconv.Atoi(fields[0]); err != nil {
		return info, err
	}
	if info.Parent, err = strconv.Atoi(fields[1]); err != nil {
		return info, err
	}
	info.Device, info.Options = fields[2], fields[5]
	info.Root, info.Point = unescape(fields[3]), unescape(fields[4])
	for _, tag := range fields[6:separator] {
		key, value, _ := strings.Cut(tag, ":")
		var group *int
		switch key {
		case "shared":
			group = &info.Shared
		case "master":
			group = &info.Master
		default:
			continue
		}
		if *group, err = strconv.Atoi(value); err != nil {
			return info, err
		}
	}
	info.Type, info.Source = fields[separator+1], unescape(fields[separator+2])
	return info, nil
}

// unescape reads a field in which the kernel wrote space, tab, newline and
// backslash in octal.
func unescape(field string) string {
	if !strings.Contains(field, `\`) {
		return field
	}
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+4 <= len(field) {
			if octet, err := strconv.ParseUint(field[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(octet))
				i += 3
				continue
			}
		}
		b.WriteByte(field[i])
	}
	return b.String()
}

// On gives the mount that is on top at point; false when nothing is mounted
// there.
func On(all []Info, point string) (Info, bool) {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Point == point {
			return all[i], true
		}
	}
	return Info{}, false
}
