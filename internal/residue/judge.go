package residue

import (
	"bytes"
	"encoding/binary"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The ways in which two builds make one file differently.
const (
	HowTime     = "time stamp"
	HowRandom   = "random"
	HowProcess  = "process number"
	HowOrder    = "order"
	HowPath     = "path of the build"
	HowMetadata = "owner, mode or attributes"
	HowPresence = "there in one build only"
	HowContent  = "content"
)

// Proposal is what a differing path may need: a row of the table of that class
// and treatment. A person decides.
type Proposal struct {
	How       string
	Class     Class
	Treatment string // "normalise" where a kept file must lose what differs
}

// TreatmentNormalise stands in proposals only: what to do with the file is left
// to find out.
const TreatmentNormalise = "normalise"

// Judge proposes what a path needs that two builds made differently, of its
// place and of both contents. Presence and metadata are for the caller to see;
// it passes them as how, else "".
func Judge(name string, a, b []byte, how string, scratch ...string) Proposal {
	if how == "" {
		how = compareContents(a, b, scratch)
	}
	p := Proposal{How: how, Class: Kept, Treatment: TreatmentNormalise}
	state := strings.HasPrefix(name, "/var/") || strings.HasPrefix(name, "/run/")
	switch {
	case isHistory(name):
		p.Class, p.Treatment = Dropped, ""
	case isSecret(name) && (how == HowRandom || how == HowPresence || how == HowContent):
		p.Class, p.Treatment = Identity, ""
	case how == HowOrder:
		p.Treatment = TreatmentSort
	case how == HowRandom && !strings.HasPrefix(name, "/usr/"):
		p.Class, p.Treatment = Identity, ""
	case how == HowProcess, how == HowTime && state:
		p.Class, p.Treatment = Dropped, ""
	case state && how != HowMetadata:
		p.Class, p.Treatment = Derived, ""
	}
	return p
}

// isHistory tells logs, caches, locks and backups by their place.
func isHistory(name string) bool {
	for _, dir := range []string{"/var/log/", "/var/cache/", "/var/backups/", "/var/tmp/", "/run/", "/var/lib/apt/"} {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	base := path.Base(name)
	for _, end := range []string{"-old", ".old", ".bak", "~", ".log", ".pid", ".lock", "-"} {
		if strings.HasSuffix(base, end) {
			return true
		}
	}
	return base == "lock" || base == "LOCK"
}

var secret = regexp.MustCompile(`(?i)(key|secret|cookie|seed|machine-id|uuid|passw|credential|snakeoil|token)`)

func isSecret(name string) bool {
	return secret.MatchString(path.Base(name)) || strings.HasSuffix(name, ".pem")
}

// variable are the forms of what a build has from its moment. A word that is
// taken for one of a form is taken for no later one.
var variable = []struct {
	how  string
	form *regexp.Regexp
}{
	{HowTime, regexp.MustCompile(
		`\b(?:19|20)\d\d[-/.]?[01]\d[-/.]?[0-3]\d(?:[T _-]?[0-2]\d[:.-]?[0-5]\d(?:[:.-]?[0-6]\d(?:[.,]\d+)?)?)?(?:Z|[ ]?[+-]\d\d:?\d\d)?\b` +
			`|\b[0-2]?\d:[0-5]\d(?::[0-6]\d(?:\.\d+)?)?\b` +
			`|\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b` +
			`|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?[ ]+\d{1,2}\b|\b\d{1,2}[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\b` +
			`|\b1[4-9]\d{8}(?:[.]?\d{3}|[.]?\d{6}|[.]?\d{9})?\b|\b2[0-4]\d{8}(?:[.]?\d{3}|[.]?\d{6}|[.]?\d{9})?\b`)},
	{HowRandom, regexp.MustCompile(
		`\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b` +
			`|\b(?:[0-9a-fA-F]{2}:){5,}[0-9a-fA-F]{2}\b` +
			`|\b[0-9a-fA-F]{16,}\b` +
			`|[A-Za-z0-9+/_-]{20,}={0,2}`)},
	{HowProcess, regexp.MustCompile(`\b[1-9]\d{0,6}\b`)},
	// What mktemp(1) and password generators make.
	{HowRandom, regexp.MustCompile(`\b[A-Za-z0-9]{6,}\b`)},
}

// judged is how much of a content is looked at.
const judged = 4 << 20

// compareContents says how two contents differ.
func compareContents(a, b []byte, scratch []string) string {
	if len(a) > judged || len(b) > judged {
		a, b = a[:min(judged, len(a))], b[:min(judged, len(b))]
	}
	if isBinary(a) || isBinary(b) {
		return compareBinary(a, b)
	}
	x, y := string(a), string(b)
	for _, dir := range scratch {
		x, y = strings.ReplaceAll(x, dir, "\x00"), strings.ReplaceAll(y, dir, "\x00")
	}
	switch {
	case x == y:
		return HowPath
	case sameSorted(x, y):
		return HowOrder
	}
	var hows []string
	for _, v := range variable {
		before := differingLines(x, y)
		x, y = v.form.ReplaceAllString(x, "\x00"), v.form.ReplaceAllString(y, "\x00")
		if differingLines(x, y) < before && !slices.Contains(hows, v.how) {
			hows = append(hows, v.how)
		}
		switch {
		case x == y:
			return strings.Join(hows, " and ")
		case len(hows) > 0 && sameSorted(x, y):
			return strings.Join(append(hows, HowOrder), " and ")
		}
	}
	return HowContent
}

func isBinary(data []byte) bool {
	return bytes.IndexByte(data[:min(8192, len(data))], 0) >= 0
}

// differingLines counts the lines of two texts that are not the same at the
// same place.
func differingLines(x, y string) int {
	a, b := strings.Split(x, "\n"), strings.Split(y, "\n")
	count := max(len(a), len(b)) - min(len(a), len(b))
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			count++
		}
	}
	return count
}

// sameSorted reports whether two texts have the same lines, or, when they have
// one line, the same words.
func sameSorted(x, y string) bool {
	return len(x) == len(y) && (equalSorted(strings.Split(x, "\n"), strings.Split(y, "\n")) || equalSorted(strings.Fields(x), strings.Fields(y)))
}

func equalSorted(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// compareBinary looks at the bytes that differ: whether they are numbers that
// are times, or noise.
func compareBinary(a, b []byte) string {
	if len(a) != len(b) {
		return HowContent
	}
	x, y := slices.Clone(a), slices.Clone(b)
	slices.Sort(x)
	slices.Sort(y)
	if bytes.Equal(x, y) {
		return HowOrder
	}
	differ, run, longest, times := 0, 0, 0, true
	for i := 0; i < len(a); i++ {
		if a[i] == b[i] {
			run = 0
			continue
		}
		differ++
		run++
		longest = max(longest, run)
		times = times && isTimeAt(a, i) && isTimeAt(b, i)
	}
	switch {
	case times:
		return HowTime
	case longest >= 6:
		return HowRandom
	}
	return HowContent
}

// isTimeAt reports whether the byte at i is part of a number of four bytes that
// is a time of these decades, in seconds, in either order of bytes.
func isTimeAt(data []byte, i int) bool {
	for start := max(0, i-3); start <= i && start+4 <= len(data); start++ {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			if v := order.Uint32(data[start:]); v > 1_500_000_000 && v < 2_300_000_000 {
				return true
			}
		}
	}
	return false
}
