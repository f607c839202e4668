package debian

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Release is what an archive says of one suite: the Release file, or the
// signed text inside InRelease. The format is described in the Debian
// repository format (wiki.debian.org/DebianRepository/Format).
type Release struct {
	Origin        string
	Label         string
	Suite         string // "stable"
	Codename      string // "trixie"
	Version       string // "13.1"; empty for testing and unstable
	Date          time.Time
	ValidUntil    time.Time // zero when the suite never expires
	Components    []string
	Architectures []string
	AcquireByHash bool

	// NotAutomatic and ButAutomaticUpgrades keep apt from taking a package
	// from here by itself: experimental has the first, backports have both.
	NotAutomatic         bool
	ButAutomaticUpgrades bool

	// PackagesForAll says that an index of architecture "all" is to be read
	// too: the Release has that architecture, and does not take it back with
	// No-Support-for-Architecture-all, as Debian's does.
	PackagesForAll bool

	// Files are the indices with their SHA-256, in the order of the file. Each
	// path is there once.
	Files []ReleaseFile

	byPath map[string]int
}

// ReleaseFile is one line of a Release file's SHA256 field.
type ReleaseFile struct {
	Path   string // relative to the directory of the Release file: "main/binary-amd64/Packages.xz"
	Size   int64  // in bytes
	SHA256 string // lower-case hexadecimal
}

// ByHash returns the path under which the file keeps its content while the
// archive changes, valid where the Release says AcquireByHash.
func (f ReleaseFile) ByHash() string {
	return f.Path[:strings.LastIndexByte(f.Path, '/')+1] + "by-hash/SHA256/" + f.SHA256
}

// File returns the index at path.
func (r *Release) File(path string) (ReleaseFile, bool) {
	i, ok := r.byPath[path]
	if !ok {
		return ReleaseFile{}, false
	}
	return r.Files[i], true
}

// ParseRelease reads the text of a Release file. It verifies no signature and
// therefore refuses the whole of an InRelease file: the caller verifies that
// and passes the text that was signed.
func ParseRelease(text []byte) (*Release, error) {
	if bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("-----BEGIN PGP")) {
		return nil, errors.New("read Release: still wrapped in its signature; verify it and pass the signed text")
	}
	s, err := ParseStanza(text)
	if err != nil {
		return nil, fmt.Errorf("read Release: %w", err)
	}
	r := &Release{
		Origin:        s.Get("Origin"),
		Label:         s.Get("Label"),
		Suite:         s.Get("Suite"),
		Codename:      s.Get("Codename"),
		Version:       s.Get("Version"),
		Components:    strings.Fields(s.Get("Components")),
		Architectures: strings.Fields(s.Get("Architectures")),
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		switch {
		case sameName(f.Name, "Date"):
			r.Date, err = parseDate(f.Value)
		case sameName(f.Name, "Valid-Until"):
			r.ValidUntil, err = parseDate(f.Value)
		case sameName(f.Name, "Acquire-By-Hash"):
			r.AcquireByHash, err = yesNo(f.Value)
		case sameName(f.Name, "NotAutomatic"):
			r.NotAutomatic, err = yesNo(f.Value)
		case sameName(f.Name, "ButAutomaticUpgrades"):
			r.ButAutomaticUpgrades, err = yesNo(f.Value)
		case sameName(f.Name, "SHA256"):
			err = r.parseFiles(f.Value)
		}
		if err != nil {
			return nil, fmt.Errorf("read Release: field %s at line %d: %w", f.Name, f.Line, err)
		}
	}
	r.PackagesForAll = slices.Contains(r.Architectures, "all") && !strings.Contains(s.Get("No-Support-for-Architecture-all"), "Packages")
	if r.Date.IsZero() {
		return nil, errors.New("read Release: field Date is missing")
	}
	if len(r.Files) == 0 {
		return nil, errors.New("read Release: field SHA256 is missing or empty; archives with weaker hashes only are not supported")
	}
	return r, nil
}

func (r *Release) parseFiles(value string) error {
	r.byPath = make(map[string]int)
	for line := range strings.Lines(value) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 {
			return fmt.Errorf("%.120q is not a hash, a size and a path", line)
		}
		f := ReleaseFile{Path: words[2], SHA256: words[0]}
		if !isSHA256(f.SHA256) {
			return fmt.Errorf("%.80q is not 64 lower-case hexadecimal digits", f.SHA256)
		}
		var err error
		if f.Size, err = parseSize(words[1]); err != nil {
			return err
		}
		if err := checkPoolPath(f.Path); err != nil {
			return err
		}
		if i, twice := r.byPath[f.Path]; twice {
			if r.Files[i] != f {
				return fmt.Errorf("two different entries for %s", f.Path)
			}
			continue
		}
		r.byPath[f.Path] = len(r.Files)
		r.Files = append(r.Files, f)
	}
	return nil
}

// parseDate reads a date as Release files write it (RFC 5322, in UTC):
// "Sat, 12 Sep 2026 07:55:41 UTC". It refuses the names of other zones, which
// say no certain offset.
func parseDate(v string) (time.Time, error) {
	for _, layout := range [...]string{
		"Mon, _2 Jan 2006 15:04:05 UTC",
		"Mon, _2 Jan 2006 15:04:05 GMT",
		"Mon, _2 Jan 2006 15:04:05 Z",
		"Mon, _2 Jan 2006 15:04:05 -0700",
	} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf(`%.80q is not a date such as "Sat, 12 Sep 2026 07:55:41 UTC"`, v)
}
