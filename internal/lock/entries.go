package lock

import (
	"strconv"
	"strings"
	"time"
)

// want checks the number of fields against the pattern that describes them.
func want(fields []field, pattern string) error {
	if have, n := len(fields), strings.Count(pattern, " ")+1; have != n {
		at := fields[min(have, n+1)-1]
		return at.wrong("want %q, have %d fields", pattern, have)
	}
	return nil
}

func (p *parser) parseArchive(a *Archive, fields []field) error {
	switch head := fields[0]; head.text {
	case "name":
		return once(fields, "name NAME", &a.Name, wrongName)
	case "repository":
		a.Repository = true
		return once(fields, "repository NAME", &a.Name, wrongName)
	case "suite":
		return once(fields, "suite SUITE", &a.Suite, wrongSuite)
	case "components":
		return names(fields, &a.Components)
	case "architectures":
		return names(fields, &a.Architectures)
	case "snapshot":
		if err := want(fields, "snapshot TIME"); err != nil {
			return err
		}
		if !a.Snapshot.IsZero() {
			return fields[0].wrong("a second snapshot")
		}
		at, err := parseTime(fields[1])
		a.Snapshot = at
		return err
	case "signer":
		return fingerprint(fields, &a.Signers)
	case "key":
		return fingerprint(fields, &a.Keys)
	case "release":
		if err := want(fields, "release DATE sha256 HEX"); err != nil {
			return err
		}
		if err := word(fields[2], "sha256"); err != nil {
			return err
		}
		date, err := parseTime(fields[1])
		if err != nil {
			return err
		}
		a.Date = date
		return digest(fields[3], &a.SHA256)
	default:
		return head.wrong("%q says nothing about an archive", head.text)
	}
}

func fingerprint(fields []field, values *[]string) error {
	if err := want(fields, fields[0].text+" FINGERPRINT"); err != nil {
		return err
	}
	if problem := wrongFingerprint(fields[1].text); problem != "" {
		return fields[1].wrong("fingerprint %s", problem)
	}
	*values = append(*values, fields[1].text)
	return nil
}

func (p *parser) parsePackage(fields []field) error {
	pattern := "NAME VERSION ARCHITECTURE ARCHIVE SIZE SHA256 PATH"
	made := len(fields) >= 4 && fields[3].text == synthetic
	if made {
		pattern = "NAME VERSION ARCHITECTURE synthetic"
	}
	if err := want(fields, pattern); err != nil {
		return err
	}
	read := Package{
		Name: fields[0].text, Version: fields[1].text, Architecture: fields[2].text,
		Synthetic: made,
	}
	for i, problem := range []string{wrongName(read.Name), wrongVersion(read.Version), wrongName(read.Architecture)} {
		if problem != "" {
			return fields[i].wrong("%q %s", fields[i].text, problem)
		}
	}
	if p.packageAt[read.Key()] {
		return fields[0].wrong("a second line for %s", read.Key())
	}
	p.packageAt[read.Key()] = true
	if !made {
		read.SHA256, read.Path = fields[5].text, fields[6].text
		if read.Local = fields[3].text == local; !read.Local {
			read.Archive = fields[3].text
			p.archiveRefs = append(p.archiveRefs, reference{field: fields[3]})
		}
		size, err := parseNumber(fields[4], 1<<50)
		if err != nil {
			return err
		}
		read.Size = size
		if problem := wrongDigest(read.SHA256); problem != "" {
			return fields[5].wrong("SHA-256 %s", problem)
		}
		if problem := wrongPath(read.Path); problem != "" {
			return fields[6].wrong("path %q %s", read.Path, problem)
		}
	}
	p.lock.Packages = append(p.lock.Packages, read)
	return nil
}

func (p *parser) parseKey(fields []field, machine string) error {
	if err := want(fields, "PACKAGE"); err != nil {
		return err
	}
	p.keyRefs = append(p.keyRefs, reference{fields[0], machine})
	return nil
}

func (p *parser) parseUser(fields []field) error {
	if err := want(fields, "NAME UID GID KIND"); err != nil {
		return err
	}
	name := fields[0]
	if problem := wrongUser(name.text); problem != "" {
		return name.wrong("the user's name %q %s", name.text, problem)
	}
	if _, twice := p.lock.IDs.Users[name.text]; twice {
		return name.wrong("a second user %q", name.text)
	}
	uid, err := parseNumber(fields[1], 1<<32-2)
	if err != nil {
		return err
	}
	gid, err := parseNumber(fields[2], 1<<32-2)
	if err != nil {
		return err
	}
	kind := UserKind(fields[3].text)
	if kind != System && kind != Human {
		return fields[3].wrong("a user is %q or %q, not %q", System, Human, kind)
	}
	p.lock.IDs.Users[name.text] = User{UID: int(uid), GID: int(gid), Kind: kind}
	return nil
}

func (p *parser) parseGroup(fields []field) error {
	if err := want(fields, "NAME GID"); err != nil {
		return err
	}
	name := fields[0]
	if problem := wrongUser(name.text); problem != "" {
		return name.wrong("the group's name %q %s", name.text, problem)
	}
	if _, twice := p.lock.IDs.Groups[name.text]; twice {
		return name.wrong("a second group %q", name.text)
	}
	gid, err := parseNumber(fields[1], 1<<32-2)
	if err != nil {
		return err
	}
	p.lock.IDs.Groups[name.text] = int(gid)
	return nil
}

func (p *parser) parseMachine(fields []field) error {
	m := p.lock.Machines[p.machine]
	switch head := fields[0]; head.text {
	case "packages":
		p.below = true
		return want(fields, "packages")
	case "wishes":
		if err := want(fields, "wishes sha256 HEX"); err != nil {
			return err
		}
		if err := word(fields[1], "sha256"); err != nil {
			return err
		}
		if err := digest(fields[2], &m.Wishes); err != nil {
			return err
		}
	case "result":
		if err := want(fields, "result sha256 HEX stage N"); err != nil {
			return err
		}
		if err := word(fields[1], "sha256"); err != nil {
			return err
		}
		if err := word(fields[3], "stage"); err != nil {
			return err
		}
		if err := digest(fields[2], &m.Result.Rootfs); err != nil {
			return err
		}
		stage, err := parseNumber(fields[4], 1<<30)
		if err != nil {
			return err
		}
		m.Result.Stage = int(stage)
	default:
		return head.wrong("%q says nothing about a machine", head.text)
	}
	p.lock.Machines[p.machine] = m
	return nil
}

// once reads a line of two words into value, which must be empty so far.
func once(fields []field, pattern string, value *string, wrong func(string) string) error {
	if err := want(fields, pattern); err != nil {
		return err
	}
	if *value != "" {
		return fields[0].wrong("a second %s", fields[0].text)
	}
	if problem := wrong(fields[1].text); problem != "" {
		return fields[1].wrong("%s %q %s", fields[0].text, fields[1].text, problem)
	}
	*value = fields[1].text
	return nil
}

func names(fields []field, values *[]string) error {
	if len(fields) < 2 || len(*values) > 0 {
		return fields[0].wrong("want one line %q", fields[0].text+" NAME…")
	}
	for _, f := range fields[1:] {
		if problem := wrongPath(f.text); problem != "" {
			return f.wrong("%q %s", f.text, problem)
		}
		*values = append(*values, f.text)
	}
	return nil
}

func word(f field, text string) error {
	if f.text != text {
		return f.wrong("want %q, have %q", text, f.text)
	}
	return nil
}

func digest(f field, value *string) error {
	if *value != "" {
		return f.wrong("said twice")
	}
	if problem := wrongDigest(f.text); problem != "" {
		return f.wrong("SHA-256 %s", problem)
	}
	*value = f.text
	return nil
}

// parseNumber reads a decimal number without sign and leading zeros.
func parseNumber(f field, limit int64) (int64, error) {
	n, err := strconv.ParseInt(f.text, 10, 64)
	if err != nil || n < 0 || n > limit || f.text != strconv.FormatInt(n, 10) {
		return 0, f.wrong("%q is not a number from 0 to %d", f.text, limit)
	}
	return n, nil
}

// parseTime reads the one way Format writes a time.
func parseTime(f field) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, f.text)
	if err != nil || formatTime(t) != f.text {
		return time.Time{}, f.wrong("%q is not a time like 2026-09-12T07:55:41Z", f.text)
	}
	return t.UTC(), nil
}
