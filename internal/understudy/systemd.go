package understudy

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// unitCharacters are those of unit names beside letters and digits
// (systemd.unit(5)).
const unitCharacters = `@:._\-`

// units is what deb-systemd-helper(1p) works on: the system's units or the
// users'.
type units struct {
	dir     string // where administrators link units
	name    string // "system" or "user"
	enabled string // the directories of its own account
	masked  string
}

var (
	systemUnits = units{"/etc/systemd/system", "system", "/var/lib/systemd/deb-systemd-helper-enabled", "/var/lib/systemd/deb-systemd-helper-masked"}
	userUnits   = units{"/etc/systemd/user", "user", "/var/lib/systemd/deb-systemd-user-helper-enabled", "/var/lib/systemd/deb-systemd-user-helper-masked"}
)

// debSystemdHelper is deb-systemd-helper(1p), for the calls that debhelper
// writes into postinsts.
func (c *Call) debSystemdHelper() (int, error) {
	for _, variable := range []string{"DPKG_ROOT", "_DEB_SYSTEMD_HELPER_DEBUG", "_DEB_SYSTEMD_HELPER_PURGE"} {
		if c.Getenv(variable) != "" {
			return 0, errDeclined
		}
	}
	if c.Getenv("DPKG_MAINTSCRIPT_PACKAGE") == "" || exists("/run/systemd/system") {
		return 0, errDeclined
	}
	of, said, args := systemUnits, c.Stderr, c.Args
options:
	for ; len(args) > 0; args = args[1:] {
		switch args[0] {
		case "--quiet":
			said = io.Discard
		case "--user":
			of = userUnits
		case "--system":
			of = systemUnits
		default:
			break options
		}
	}
	// debhelper names one unit at a time.
	if len(args) != 2 || !isPlain(args[1], unitCharacters) || args[1][0] == '-' || strings.Trim(args[1], ".") == "" {
		return 0, errDeclined
	}
	switch unit := args[1]; args[0] {
	case "unmask":
		return 0, of.unmask(unit)
	case "was-enabled":
		return answer(said, of.wasEnabled(unit)), nil
	case "debian-installed":
		return status(isFile(of.account(unit))), nil
	case "is-enabled":
		links, err := of.links(unit)
		if err != nil {
			return 0, err
		}
		return answer(said, !slices.ContainsFunc(links, func(l link) bool { return !isLink(l.name) })), nil
	case "update-state":
		return 0, of.updateState(unit)
	case "enable":
		return 0, of.enable(unit)
	}
	return 0, errDeclined
}

// answer says whether a unit is enabled.
func answer(said io.Writer, enabled bool) int {
	if enabled {
		fmt.Fprintln(said, "enabled")
	} else {
		fmt.Fprintln(said, "disabled")
	}
	return status(enabled)
}

func status(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// account is the file that lists the links of a unit.
func (u units) account(unit string) string { return u.enabled + "/" + unit + ".dsh-also" }

// note is the file that says that a link was made once.
func (u units) note(link string) string { return u.enabled + strings.TrimPrefix(link, u.dir) }

// find gives the path of a unit's file.
func (u units) find(unit string) (string, error) {
	for _, dir := range []string{u.dir, "/lib/systemd/" + u.name, "/usr/lib/systemd/" + u.name} {
		if name := dir + "/" + unit; isFile(name) {
			return name, nil
		}
	}
	return "", errDeclined
}

func (u units) wasEnabled(unit string) bool {
	text, _ := os.ReadFile(u.account(unit)) // without one, it counts as enabled
	for line := range strings.Lines(string(text)) {
		if !isLink(strings.TrimSuffix(line, "\n")) {
			return false
		}
	}
	return true
}

// unmask takes back what was masked when the package was removed, and the
// directories of the account that are empty then.
func (u units) unmask(unit string) error {
	link := u.dir + "/" + unit
	note := u.masked + "/" + unit
	if target, err := os.Readlink(link); err == nil && target == "/dev/null" && exists(link) && exists(note) {
		if err := os.Remove(link); err != nil {
			return err
		}
		_ = os.Remove(note)
	}
	removeEmpty(systemUnits.masked)
	removeEmpty(userUnits.masked)
	return nil
}

// removeEmpty removes a directory if there is nothing but such directories in it.
func removeEmpty(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if name := dir + "/" + e.Name(); e.Name()[0] != '.' && isDirectory(name) {
			removeEmpty(name)
		}
	}
	_ = syscall.Rmdir(dir)
}

// enable lets systemctl enable a unit that is installed for the first time, as
// presets say, and keeps account of the links; without systemctl, it makes them.
func (u units) enable(unit string) error {
	file, err := u.find(unit)
	if err != nil {
		return err
	}
	links, err := u.closure(file, nil)
	if err != nil {
		return err
	}
	makeLinks := true
	if isProgram("/bin/systemctl") || isProgram("/usr/bin/systemctl") {
		if isFile(u.account(unit)) {
			makeLinks = slices.ContainsFunc(links, func(l link) bool { return isLink(l.name) })
		} else {
			makeLinks = false
			if err := u.preset(unit); err != nil {
				return err
			}
			// systemctl has made links that may be names of units, too.
			if links, err = u.closure(file, nil); err != nil {
				return err
			}
		}
	}
	for _, l := range links {
		if err := u.record(unit, l.name); err != nil {
			return err
		}
		note := u.note(l.name)
		if exists(note) {
			continue
		}
		if makeLinks && !isLink(l.name) {
			if err := os.MkdirAll(path.Dir(l.name), 0o777); err != nil {
				return err
			}
			if err := os.Symlink(l.target, l.name); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(path.Dir(note), 0o777); err != nil {
			return err
		}
		made, err := os.OpenFile(note, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
		if err != nil {
			return err
		}
		if err := made.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (u units) preset(unit string) error {
	who := "--system"
	if u == userUnits {
		who = "--global"
	}
	command := exec.Command("systemctl", "--root=/", who, "--preset-mode=enable-only", "preset", unit)
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("systemctl preset failed on %s: %w", unit, err)
	}
	return nil
}

// record adds a link to the account of a unit, if it is not there yet.
func (u units) record(unit, name string) error {
	text, err := os.ReadFile(u.account(unit))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if !slices.Contains(strings.SplitAfter(string(text), "\n"), name+"\n") {
		text = append(text, name+"\n"...)
	}
	return u.write(unit, text)
}

func (u units) updateState(unit string) error {
	links, err := u.links(unit)
	if err != nil {
		return err
	}
	var text []byte
	for _, l := range links {
		text = append(text, l.name+"\n"...)
	}
	return u.write(unit, text)
}

// write puts a new file in the place of an account.
func (u units) write(unit string, text []byte) error {
	if err := os.MkdirAll(u.enabled, 0o777); err != nil {
		return err
	}
	file, err := os.CreateTemp(u.enabled, ".state*.tmp")
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), u.account(unit))
	}
	if err != nil {
		_ = os.Remove(file.Name())
	}
	return err
}

// link is a link that enabling makes.
type link struct{ name, target string }

// links gives those of a unit and of all that its file names in Also=.
func (u units) links(unit string) ([]link, error) {
	file, err := u.find(unit)
	if err != nil {
		return nil, err
	}
	return u.closure(file, nil)
}

// closure reads the [Install] settings of a unit's file, in the order in which
// the packaged program takes them: first those of other units, and aliases, then
// what wants the unit. The other program reads them in every section.
func (u units) closure(file string, visited []string) ([]link, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, errDeclined
	}
	var links []link
	var dirs []string
	unit := filepath.Base(file)
	wanted := unit
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		key, values, err := installSetting(string(line))
		if err != nil {
			return nil, err
		}
		switch key {
		case "WantedBy", "RequiredBy":
			suffix := map[string]string{"WantedBy": ".wants/", "RequiredBy": ".requires/"}[key]
			for _, value := range values {
				dirs = append(dirs, u.dir+"/"+value+suffix)
			}
		case "Also":
			for _, value := range values {
				if value == unit || slices.Contains(visited, value) {
					continue
				}
				visited = append(slices.Clip(visited), value)
				other, err := u.find(value)
				if err != nil {
					return nil, err
				}
				more, err := u.closure(other, visited)
				if err != nil {
					return nil, err
				}
				links = append(links, more...)
			}
		case "Alias":
			if len(values) != 1 {
				return nil, errDeclined
			}
			if values[0] != unit {
				links = append(links, link{u.dir + "/" + values[0], file})
			}
		case "DefaultInstance":
			if len(values) != 1 {
				return nil, errDeclined
			}
			wanted = instance(unit, values[0])
		}
	}
	for _, dir := range dirs {
		links = append(links, link{dir + wanted, file})
	}
	return links, nil
}

// instance gives the name of a template's instance; that of what is no template
// is its own.
func instance(unit, name string) string {
	at := strings.LastIndexByte(unit, '@')
	if at < 0 || !strings.HasPrefix(unit[at+1:], ".") || !isPlain(unit[at+2:], "_") {
		return unit
	}
	return unit[:at+1] + name + unit[at+1:]
}

// installKeys are the settings that make links.
var installKeys = []string{"WantedBy", "RequiredBy", "Also", "Alias", "DefaultInstance"}

// installSetting takes a line apart that has one of these settings. One that the
// packaged program would take, but that is not written as everybody does, is
// declined.
func installSetting(line string) (key string, values []string, err error) {
	start := strings.TrimLeft(line, " \t\n\v\f\r")
	for _, key := range installKeys {
		if len(start) <= len(key) || start[len(key)] != '=' || !strings.EqualFold(start[:len(key)], key) {
			continue
		}
		if start == key+"=" && start == line {
			return "", nil, nil
		}
		values = strings.Split(line[min(len(line), len(key)+1):], " ")
		if !strings.HasPrefix(line, key+"=") || slices.ContainsFunc(values, func(v string) bool { return !isPlain(v, unitCharacters+"%") }) {
			return "", nil, errDeclined
		}
		return key, values, nil
	}
	return "", nil, nil
}
