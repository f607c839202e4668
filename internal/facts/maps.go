package facts

import (
	"strconv"
	"strings"
)

// mapping is a file that a process has in its memory.
type mapping struct {
	device string // "MAJOR:MINOR", decimal as in mountinfo
	path   string
}

// parseMaps reads a proc_pid_maps(5): the files in it, each once.
func parseMaps(text string) []mapping {
	var all []mapping
	seen := map[mapping]bool{}
	for line := range strings.Lines(text) {
		// address perms offset dev inode, then spaces, then a path that may have any.
		rest := strings.TrimSuffix(line, "\n")
		var fields [5]string
		for i := range fields {
			fields[i], rest, _ = strings.Cut(rest, " ")
		}
		name := strings.TrimSuffix(strings.TrimLeft(rest, " "), " (deleted)")
		device, ok := decimalDevice(fields[3])
		if !ok || fields[4] == "0" || !strings.HasPrefix(name, "/") {
			continue // memory of no file
		}
		m := mapping{device, unescapeNewline(name)}
		if !seen[m] {
			seen[m] = true
			all = append(all, m)
		}
	}
	return all
}

// decimalDevice turns the hexadecimal number of maps into that of mountinfo.
func decimalDevice(text string) (string, bool) {
	major, minor, ok := strings.Cut(text, ":")
	a, errMajor := strconv.ParseUint(major, 16, 32)
	b, errMinor := strconv.ParseUint(minor, 16, 32)
	return strconv.FormatUint(a, 10) + ":" + strconv.FormatUint(b, 10), ok && errMajor == nil && errMinor == nil
}

// unescapeNewline undoes the only escape that maps has.
func unescapeNewline(name string) string { return strings.ReplaceAll(name, `\012`, "\n") }
