package debian

import (
	"errors"
	"fmt"
	"strings"
)

// CompareVersions orders two package versions as dpkg does (deb-version(7)):
// negative when a is older than b, zero when they are equal, positive when a
// is newer. It is a total order on all strings, also on invalid versions; a
// prefix before the first colon that is not a number is not an epoch.
func CompareVersions(a, b string) int {
	if a == b {
		return 0
	}
	aEpoch, aUpstream, aRevision := splitVersion(a)
	bEpoch, bUpstream, bRevision := splitVersion(b)
	if c := compareNumbers(aEpoch, bEpoch); c != 0 {
		return c
	}
	if c := compareParts(aUpstream, bUpstream); c != 0 {
		return c
	}
	return compareParts(aRevision, bRevision)
}

// ValidVersion reports whether v follows deb-version(7); it agrees with
// "dpkg --validate-version", its warnings counted as refusals.
func ValidVersion(v string) bool { return CheckVersion(v) == nil }

// CheckVersion says what is wrong with v as a version, in the terms of
// deb-version(7); nil when ValidVersion.
func CheckVersion(v string) error {
	if err := versionFault(v); err != nil {
		return fmt.Errorf("version %q: %w", v, err)
	}
	return nil
}

var (
	errVersionEmpty    = errors.New("is empty")
	errEpoch           = errors.New("epoch is not a number below 2147483648")
	errUpstreamEmpty   = errors.New("nothing stands between epoch and revision")
	errUpstreamStart   = errors.New("does not start with a digit")
	errUpstreamLetters = errors.New(`holds a character other than letters, digits and ".+-~:"`)
	errRevisionEmpty   = errors.New("nothing stands after the last hyphen")
	errRevisionLetters = errors.New(`revision holds a character other than letters, digits and ".+~"`)
)

func versionFault(v string) error {
	if v == "" {
		return errVersionEmpty
	}
	if i := strings.IndexByte(v, ':'); i >= 0 {
		if !isEpoch(v[:i]) {
			return errEpoch
		}
		if v = v[i+1:]; v == "" {
			return errUpstreamEmpty
		}
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		revision := v[i+1:]
		if revision == "" {
			return errRevisionEmpty
		}
		for j := 0; j < len(revision); j++ {
			if c := revision[j]; !isDigit(c) && !isLetter(c) && c != '.' && c != '+' && c != '~' {
				return errRevisionLetters
			}
		}
		v = v[:i]
	}
	if v == "" {
		return errUpstreamEmpty
	}
	for j := 0; j < len(v); j++ {
		if c := v[j]; !isDigit(c) && !isLetter(c) && !strings.ContainsRune(".+-~:", rune(c)) {
			return errUpstreamLetters
		}
	}
	// Last, because callers forgive this fault as dpkg does.
	if !isDigit(v[0]) {
		return errUpstreamStart
	}
	return nil
}

func isEpoch(s string) bool {
	if s == "" || !allDigits(s) {
		return false
	}
	s = strings.TrimLeft(s, "0")
	return len(s) < 10 || len(s) == 10 && s <= "2147483647"
}

func splitVersion(v string) (epoch, upstream, revision string) {
	if i := strings.IndexByte(v, ':'); i >= 0 && allDigits(v[:i]) {
		epoch, v = v[:i], v[i+1:]
	}
	if i := strings.LastIndexByte(v, '-'); i >= 0 {
		return epoch, v[:i], v[i+1:]
	}
	return epoch, v, ""
}

// compareParts is dpkg's order of upstream versions and revisions: runs of
// other characters and runs of digits, in turn.
func compareParts(a, b string) int {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		for i < len(a) && !isDigit(a[i]) || j < len(b) && !isDigit(b[j]) {
			// Weights of both sides differ as soon as one side has reached
			// its digits or its end, so neither index runs past the end.
			if c := weight(a, i) - weight(b, j); c != 0 {
				return c
			}
			i++
			j++
		}
		iEnd, jEnd := i, j
		for iEnd < len(a) && isDigit(a[iEnd]) {
			iEnd++
		}
		for jEnd < len(b) && isDigit(b[jEnd]) {
			jEnd++
		}
		if c := compareNumbers(a[i:iEnd], b[j:jEnd]); c != 0 {
			return c
		}
		i, j = iEnd, jEnd
	}
	return 0
}

// weight sorts a tilde before the end of the part, and letters before
// everything else.
func weight(s string, i int) int {
	switch {
	case i >= len(s) || isDigit(s[i]):
		return 0
	case isLetter(s[i]):
		return int(s[i])
	case s[i] == '~':
		return -1
	default:
		return int(s[i]) + 256
	}
}

// compareNumbers compares strings of digits of any length; empty means zero.
func compareNumbers(a, b string) int {
	for len(a) > 0 && a[0] == '0' {
		a = a[1:]
	}
	for len(b) > 0 && b[0] == '0' {
		b = b[1:]
	}
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

func allDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
