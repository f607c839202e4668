package debian

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"
)

// ParsePackage reads the stanza of one binary package: the control file of a
// .deb (deb-control(5)), an entry of a Packages index or of dpkg's status file.
// Its errors name package, field and line.
func ParsePackage(s Stanza) (Package, error) {
	var p Package
	if err := new(interner).parsePackage(&p, s); err != nil {
		return Package{}, err
	}
	return p, nil
}

// ParsePackages reads a whole Packages index, as [Packages] does.
func ParsePackages(r io.Reader) ([]*Package, error) {
	var packages []*Package
	for p, err := range Packages(r) {
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
	return packages, nil
}

// Packages reads a Packages index in its order, a package after the other, and ends with
// the first error. Every entry of an index has Filename, Size and SHA256; one without
// them is an error. Packages share memory: change none in place.
func Packages(r io.Reader) iter.Seq2[*Package, error] {
	return func(yield func(*Package, error) bool) {
		var (
			in      = interner{bulk: true}
			room    []Package
			fields  []Field
			scanner = NewScanner(r)
		)
		for {
			s, err := scanner.next(fields[:0])
			if err == io.EOF {
				return
			}
			fields = s.Fields
			if len(room) == 0 {
				room = make([]Package, 256)
			}
			p := &room[0]
			room = room[1:]
			if err == nil {
				err = in.parseEntry(p, s)
			}
			if err != nil {
				yield(nil, fmt.Errorf("read package index: %w", err))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// parseEntry reads an entry of an index.
func (in *interner) parseEntry(p *Package, s Stanza) error {
	if err := in.parsePackage(p, s); err != nil {
		return err
	}
	if p.Filename == "" || p.SHA256 == "" {
		return fmt.Errorf("line %d: package %s has no Filename or no SHA256", s.Line, p.Name)
	}
	return nil
}

func (in *interner) parsePackage(p *Package, s Stanza) error {
	for i := range s.Fields {
		f := &s.Fields[i]
		if err := in.parseField(p, f); err != nil {
			return fmt.Errorf("line %d: package %.80s: field %s: %w", f.Line, s.Get("Package"), f.Name, err)
		}
	}
	for _, required := range [...]struct{ name, value string }{
		{"Package", p.Name}, {"Version", p.Version}, {"Architecture", p.Architecture},
	} {
		if required.value == "" {
			return fmt.Errorf("line %d: package %.80s: field %s is missing", s.Line, p.Name, required.name)
		}
	}
	if p.Source == p.Name {
		p.Source = ""
	}
	if p.SourceVersion == p.Version {
		p.SourceVersion = ""
	}
	return nil
}

func (in *interner) parseField(p *Package, f *Field) (err error) {
	v := f.Value
	switch knownName(f.Name) {
	case "Package":
		if !ValidPackageName(v) {
			return fmt.Errorf("%.80q is not a package name", v)
		}
		p.Name = in.keep(v)
	case "Version":
		// dpkg only warns about a version that begins with a letter.
		if err := versionFault(v); err != nil && err != errUpstreamStart {
			return fmt.Errorf("version %.80q: %w", v, err)
		}
		p.Version = in.keepVersion(v)
	case "Architecture":
		if !ValidArchitecture(v) {
			return fmt.Errorf("%.80q is not an architecture", v)
		}
		p.Architecture = in.word(v)
	case "Multi-Arch":
		switch v {
		case "no", "":
		case "same", "foreign", "allowed":
			p.MultiArch = in.word(v)
		default:
			return fmt.Errorf(`%.80q is none of "no", "same", "foreign" and "allowed"`, v)
		}
	case "Source":
		return in.parseSource(p, v)
	case "Section":
		p.Section = in.word(v)
	case "Priority":
		p.Priority = in.word(v)
	case "Essential":
		p.Essential, err = yesNo(v)
	case "Protected":
		p.Protected, err = yesNo(v)
	case "Installed-Size":
		p.InstalledSize, err = parseSize(v)
	case "Pre-Depends":
		p.PreDepends, err = in.parseRelations(v)
	case "Depends":
		p.Depends, err = in.parseRelations(v)
	case "Recommends":
		p.Recommends, err = in.parseRelations(v)
	case "Conflicts":
		p.Conflicts, err = in.parseRelations(v)
	case "Breaks":
		p.Breaks, err = in.parseRelations(v)
	case "Replaces":
		p.Replaces, err = in.parseRelations(v)
	case "Provides":
		if p.Provides, err = in.parseRelations(v); err == nil {
			err = checkProvides(p.Provides)
		}
	case "Filename":
		if err := checkPoolPath(v); err != nil {
			return err
		}
		p.Filename = in.keep(cleanPoolPath(v))
	case "Size":
		p.Size, err = parseSize(v)
	case "SHA256":
		if !isSHA256(v) {
			return fmt.Errorf("%.80q is not 64 lower-case hexadecimal digits", v)
		}
		p.SHA256 = in.keep(v)
	}
	return err
}

// known are the fields that a Package has room for.
var known = [...]string{
	"Package", "Version", "Architecture", "Multi-Arch", "Source", "Section", "Priority",
	"Essential", "Protected", "Installed-Size", "Pre-Depends", "Depends", "Recommends",
	"Conflicts", "Breaks", "Replaces", "Provides", "Filename", "Size", "SHA256",
}

// knownName returns name as known spells it, or name.
func knownName(name string) string {
	for _, k := range known {
		if len(k) == len(name) && (k == name || strings.EqualFold(k, name)) {
			return k
		}
	}
	return name
}

// parseSource reads "name" or "name (version)".
func (in *interner) parseSource(p *Package, v string) error {
	name, rest, versioned := strings.Cut(v, "(")
	if name = trimSpace(name); !ValidPackageName(name) {
		return fmt.Errorf("%.80q is not a source package", v)
	}
	p.Source = in.keep(name)
	if !versioned {
		return nil
	}
	version, rest, closed := strings.Cut(rest, ")")
	version = trimSpace(version)
	if err := versionFault(version); err != nil && err != errUpstreamStart || !closed || trimSpace(rest) != "" {
		return fmt.Errorf("%.80q is not a source package with its version", v)
	}
	p.SourceVersion = in.keep(version)
	return nil
}

func checkProvides(provides Relations) error {
	for _, a := range provides {
		if len(a) != 1 {
			return fmt.Errorf("alternatives %q cannot be provided", a)
		}
		if op := a[0].Op; op != "" && op != "=" {
			return fmt.Errorf("%q is provided without an exact version", a)
		}
	}
	return nil
}

// checkPoolPath keeps a hostile index from naming anything but a file below
// the archive's root.
func checkPoolPath(v string) error {
	if v == "" || v[0] == '/' {
		return fmt.Errorf("%.80q is not a path relative to the archive", v)
	}
	for part := range strings.SplitSeq(v, "/") {
		if part == ".." {
			return fmt.Errorf("%.80q leaves the archive", v)
		}
	}
	for i := 0; i < len(v); i++ {
		if c := v[i]; c <= ' ' || c == 0x7f || c == '\\' || c == '?' || c == '#' {
			return fmt.Errorf("%.80q holds %q", v, c)
		}
	}
	return nil
}

// cleanPoolPath takes away the "./" that flat repositories begin with: dpkg
// and apt read the same file either way.
func cleanPoolPath(v string) string {
	if strings.HasPrefix(v, "./") || strings.Contains(v, "//") || strings.Contains(v, "/./") {
		return path.Clean(v)
	}
	return v
}

func yesNo(v string) (bool, error) {
	switch v {
	case "yes":
		return true, nil
	case "no", "":
		return false, nil
	default:
		return false, fmt.Errorf(`%.80q is neither "yes" nor "no"`, v)
	}
}

func parseSize(v string) (int64, error) {
	if !allDigits(v) {
		return 0, fmt.Errorf("%.80q is not a number", v)
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.80q is not a size: %w", v, errors.Unwrap(err))
	}
	return n, nil
}

func isSHA256(v string) bool {
	if len(v) != 64 {
		return false
	}
	for i := 0; i < len(v); i++ {
		if c := v[i]; !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
