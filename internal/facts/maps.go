package facts

import (
	"bytes"
	"strconv"
	"strings"
)

// mapping is a file that a process has in its memory.
type mapping struct {
	device string // "MAJOR:MINOR", decimal as in mountinfo
	path   string
}

// parseMaps reads a proc_pid_maps(5): the files in it, each once. Of the text nothing
// is kept.
func parseMaps(text []byte) []mapping {
	var all []mapping
	seen := map[mapping]bool{} // as the text has them
	for line := range bytes.Lines(text) {
		// address perms offset dev inode, then spaces, then a path that may have any.
		rest := bytes.TrimSuffix(line, []byte("\n"))
		var fields [5][]byte
		for i := range fields {
			fields[i], rest, _ = bytes.Cut(rest, []byte(" "))
		}
		name := bytes.TrimSuffix(bytes.TrimLeft(rest, " "), []byte(" (deleted)"))
		if string(fields[4]) == "0" || !bytes.HasPrefix(name, []byte("/")) || seen[mapping{string(fields[3]), string(name)}] {
			continue // memory of no file, or more of one
		}
		m := mapping{string(fields[3]), string(name)}
		seen[m] = true
		if device, ok := decimalDevice(m.device); ok {
			all = append(all, mapping{device, unescapeNewline(m.path)})
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
