package understudy

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

// phpModule is a module of PHP's that scripts enable, as php-common's tools have
// it: for one version of PHP, and one of the programs that have it built in (SAPI).
type phpModule struct {
	version, sapi, name string
	link, target        string // of the module's file among those that are read
	state               string // a directory of who enabled and disabled it
}

// phpCharacters are those of versions, SAPIs and modules beside letters and digits.
const phpCharacters = "._-"

const (
	phpState    = "/var/lib/php/modules/"
	phpPrograms = "/usr/lib/php/"
	phpFiles    = "/etc/php/"
)

// phpOptions are what phpenmod and phpquery are called with.
type phpOptions struct {
	version, sapi, module string
	flags                 string // each of them once
}

// phpOptions reads arguments that are of the plain form: one version, at most one
// SAPI, and flags out of those that are given.
func (c *Call) phpOptions(flags string) (o phpOptions, rest []string, err error) {
	args := c.Args
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		option := args[0]
		var value *string
		switch option {
		case "-v":
			value = &o.version
		case "-s":
			value = &o.sapi
		case "-m":
			if !strings.Contains(flags, "m") {
				value = &o.module
			}
		}
		switch {
		case value != nil:
			if len(args) < 2 || *value != "" || !isPlain(args[1], phpCharacters) || args[1] == "ALL" || strings.Trim(args[1], ".") == "" {
				return o, nil, errDeclined
			}
			*value, args = args[1], args[2:]
		case len(option) == 2 && strings.Contains(flags, option[1:]) && !strings.Contains(o.flags, option[1:]):
			o.flags, args = o.flags+option[1:], args[1:]
		default:
			return o, nil, errDeclined
		}
	}
	if o.version == "" || !isDirectory(phpPrograms+o.version) {
		return o, nil, errDeclined
	}
	return o, args, nil
}

func (o phpOptions) has(flag string) bool { return strings.Contains(o.flags, flag) }

// phpSAPIs gives the SAPIs of a version in the order of their directory, which is
// that of find(1).
func phpSAPIs(version string) ([]string, error) {
	dir, err := os.Open(phpPrograms + version + "/sapi")
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, errDeclined
	}
	defer dir.Close()
	return dir.Readdirnames(-1)
}

// priority is a line of a module's file that says when it is read.
var priority = regexp.MustCompile(`^;[ \t\v\f\r]*priority[ \t\v\f\r]*=[ \t\v\f\r]*([0-9]+)[ \t\v\f\r]*$`)

// phpPriority reads that line; most files have none.
func phpPriority(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", errDeclined
	}
	found := ""
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		match := priority.FindSubmatch(line)
		switch {
		case match == nil && bytes.Contains(line, []byte("priority")), match != nil && found != "",
			len(line) > 0 && len(bytes.Trim(line, "0123456789")) == 0:
			return "", errDeclined
		case match != nil:
			found = string(match[1])
		}
	}
	if found == "" {
		found = "20"
	}
	return found, nil
}

func (o phpOptions) moduleOf(sapi, name string) (m phpModule, err error) {
	m = phpModule{version: o.version, sapi: sapi, name: name, target: phpFiles + o.version + "/mods-available/" + name + ".ini"}
	first, err := phpPriority(m.target)
	m.link = phpFiles + o.version + "/" + sapi + "/conf.d/" + first + "-" + name + ".ini"
	m.state = phpState + o.version + "/" + sapi + "/"
	return m, err
}

// What phpquery says of a module, by its exit status.
const (
	phpEnabled         = 0
	phpUnknown         = 1
	phpDisabledByAdmin = 32
	phpDisabledByMaint = 33
)

// status tells whether a module is enabled, and how phpquery says so.
func (m phpModule) status() (int, string, error) {
	if exists(m.link) {
		if target, err := os.Readlink(m.link); err != nil || target != m.target {
			return 0, "", errDeclined
		}
		who := "unknown"
		switch {
		case exists(m.state + "enabled_by_admin/" + m.name):
			who = "local administrator"
		case exists(m.state + "enabled_by_maint/" + m.name):
			who = "maintainer script"
		}
		return phpEnabled, fmt.Sprintf("%s (Enabled for %s by %s)", m.name, m.sapi, who), nil
	}
	status, who := phpUnknown, "unknown"
	switch {
	case exists(m.state + "disabled_by_admin/" + m.name):
		status, who = phpDisabledByAdmin, "local administrator"
	case exists(m.state + "disabled_by_maint/" + m.name):
		status, who = phpDisabledByMaint, "maintainer script"
	}
	return status, fmt.Sprintf("No module matches %s (Disabled for %s by %s)", m.name, m.sapi, who), nil
}

// phpquery is phpquery of php-common, for questions about SAPIs and modules.
func (c *Call) phpquery() (int, error) {
	o, rest, err := c.phpOptions("qS")
	if err != nil || len(rest) > 0 || o.has("S") && (o.sapi != "" || o.module != "" || o.has("q")) || !o.has("S") && o.sapi == "" {
		return 0, errDeclined
	}
	if o.has("S") {
		names, err := phpSAPIs(o.version)
		if err != nil {
			return 0, errDeclined
		}
		for _, name := range names {
			fmt.Fprintln(c.Stdout, name)
		}
		return 0, nil
	}
	known := exists(phpPrograms + o.version + "/sapi/" + o.sapi)
	if o.module == "" {
		if known && !o.has("q") {
			fmt.Fprintln(c.Stdout, o.sapi)
		}
		return status(known), nil
	}
	if !known {
		return 0, errDeclined
	}
	m, err := o.moduleOf(o.sapi, o.module)
	if err != nil {
		return 0, err
	}
	status, says, err := m.status()
	if err == nil && !o.has("q") {
		fmt.Fprintln(c.Stdout, says)
	}
	return status, err
}

// phpenmod is phpenmod of php-common, for a module that is there and that nobody
// disabled.
func (c *Call) phpenmod() (int, error) {
	o, names, err := c.phpOptions("qmr")
	if err != nil {
		return 0, err
	}
	if len(names) != 1 || !isPlain(names[0], phpCharacters) || strings.HasPrefix(names[0], "-") {
		return 0, errDeclined
	}
	sapis := []string{o.sapi}
	if o.sapi == "" {
		if sapis, err = phpSAPIs(o.version); err != nil {
			return 0, errDeclined
		}
	}
	var modules []phpModule
	for _, sapi := range sapis {
		m, err := o.moduleOf(sapi, names[0])
		if err == nil && isPlain(sapi, phpCharacters) && exists(phpPrograms+o.version+"/sapi/"+sapi) && isDirectory(path.Dir(m.link)) {
			var status int
			if status, _, err = m.status(); status == phpDisabledByAdmin {
				err = errDeclined
			}
		} else {
			err = errDeclined
		}
		if err != nil {
			return 0, err
		}
		modules = append(modules, m)
	}
	for _, m := range modules {
		if err := m.enable(o.has("m")); err != nil {
			return 0, err
		}
	}
	if o.has("r") {
		return 0, touch(phpState + o.version + "/registry/" + names[0])
	}
	return 0, nil
}

// enable makes the link of a module and takes down who enabled it, a maintainer or
// the administrator.
func (m phpModule) enable(maintainer bool) error {
	if !isLink(m.link) {
		if err := os.Symlink(m.target, m.link); err != nil {
			return err
		}
	}
	admin, maint := m.state+"enabled_by_admin/"+m.name, m.state+"enabled_by_maint/"+m.name
	if exists(admin) || maintainer && exists(maint) {
		return nil
	}
	for _, note := range []string{m.state + "disabled_by_admin/" + m.name, m.state + "disabled_by_maint/" + m.name, admin, maint} {
		if err := os.Remove(note); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if maintainer {
		return touch(maint)
	}
	return touch(admin)
}

// touch is touch(1), and makes the directory.
func touch(name string) error {
	if err := os.MkdirAll(path.Dir(name), 0o777); err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	now := time.Now()
	return os.Chtimes(name, now, now)
}
