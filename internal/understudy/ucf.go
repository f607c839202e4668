package understudy

import (
	"bytes"
	"crypto/md5"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Where ucf(1) keeps account. Its backup rings (hashfile.0 and so on) are left out:
// residue's table drops them.
const (
	ucfHashes   = "/var/lib/ucf/hashfile"
	ucfRegistry = "/var/lib/ucf/registry"
	ucfCache    = "/var/lib/ucf/cache/"
	ucfSmall    = 25600 // bytes of a file that the cache always has
)

// pathCharacters are those of paths beside letters and digits.
const pathCharacters = "/._+:@~-"

// ucf is ucf(1) for a file that is new: it is put where it belongs, and its sum and
// itself are kept, to know later whether somebody changed it.
func (c *Call) ucf() (int, error) {
	threeWay, mayAsk := false, c.Getenv("DEBIAN_HAS_FRONTEND") == ""
	args := c.Args
	for ; len(args) > 2; args = args[1:] {
		switch args[0] {
		case "--three-way":
			threeWay = true
		case "--debconf-ok":
			mayAsk = true
		default:
			return 0, errDeclined
		}
	}
	// Of a script that asks by itself, it complains.
	if len(args) != 2 || !isPlainPath(args[1]) || !mayAsk || c.hasUCFSettings() {
		return 0, errDeclined
	}
	from, err := filepath.EvalSymlinks(args[0])
	if err != nil || !isPlainPath(from) || !isFile(from) {
		return 0, errDeclined
	}
	to := args[1]
	if _, err := os.Lstat(to); !os.IsNotExist(err) || !isDirectory(path.Dir(to)) {
		return 0, errDeclined
	}
	accounts, ok := linesOf(ucfHashes)
	if !ok || of(accounts, to) != nil || isDiverted(to) || !hasTemplates("ucf") {
		return 0, errDeclined
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return 0, errDeclined
	}
	fmt.Fprintf(c.Stderr, "Creating config file %s with new version\n", to)
	if err := copyWhole(from, to, data); err != nil {
		return 0, err
	}
	accounts = append(accounts, fmt.Sprintf("%x  %s\n", md5.Sum(data), to))
	if err := replaceLines(ucfHashes, accounts); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(ucfCache, 0o777); err != nil || !threeWay && len(data) >= ucfSmall {
		return 0, err
	}
	return 0, copyWhole(from, ucfCache+strings.ReplaceAll(to, "/", ":"), data)
}

// ucfr is ucfr(1): it takes down to which package a file belongs.
func (c *Call) ucfr() (int, error) {
	args := c.Args
	if len(args) > 0 && (args[0] == "--force" || args[0] == "-f") {
		args = args[1:]
	}
	if len(args) != 2 || !isPlain(args[0], "+.-") || args[0][0] == '-' || !isPlainPath(args[1]) || c.hasUCFSettings() {
		return 0, errDeclined
	}
	file, err := filepath.EvalSymlinks(args[1])
	if err != nil || !isPlainPath(file) {
		return 0, errDeclined
	}
	registry, ok := linesOf(ucfRegistry)
	if !ok {
		return 0, errDeclined
	}
	switch owners := of(registry, file); {
	case len(owners) == 1 && owners[0] == args[0]:
		return 0, nil
	case len(owners) > 0:
		return 0, errDeclined
	}
	return 0, replaceLines(ucfRegistry, append(registry, args[0]+" \t "+file+"\n"))
}

// hasUCFSettings reports whether the environment changes what ucf and ucfr do.
func (c *Call) hasUCFSettings() bool {
	return os.Getuid() != 0 || slices.ContainsFunc([]string{
		"UCF_SOURCE_DIR", "UCF_STATE_DIR", "UCF_OLD_MDSUM_FILE", "UCF_FORCE_CONFFOLD", "UCF_FORCE_CONFFNEW", "UCF_FORCE_CONFFMISS",
		"conf_source_dir", "conf_state_dir", "conf_old_mdsum_file", "conf_force_conffold", "conf_force_conffnew", "conf_force_conffmiss",
		"opt_source_dir", "opt_state_dir", "opt_old_mdsum_file", "opt_package", "lastsum", "DEBCONF_ALREADY_RUNNING", "PURGE", "FORCE", "RETAIN_OLD", "POSIXLY_CORRECT",
	}, func(name string) bool { return c.Getenv(name) != "" })
}

func isPlainPath(name string) bool {
	return isPlain(name, pathCharacters) && name[0] == '/' && path.Clean(name) == name
}

// linesOf reads an account of which every line has its end.
func linesOf(name string) ([]string, bool) {
	text, err := os.ReadFile(name)
	if err != nil || isLink(name) || len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, false
	}
	return slices.Collect(strings.Lines(string(text))), true
}

// of gives the first words of an account's lines about a file.
func of(account []string, file string) []string {
	var out []string
	for _, line := range account {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutSuffix(line, file); ok && rest != "" && isSpace(rest[len(rest)-1]) {
			out = append(out, strings.Fields(rest + ".")[0])
		}
	}
	return out
}

// replaceLines puts a new file in the place of an account.
func replaceLines(name string, lines []string) error {
	made := name + ".tmp"
	if err := os.WriteFile(made, []byte(strings.Join(lines, "")), 0o666); err != nil {
		return err
	}
	return os.Rename(made, name)
}

// copyWhole is cp -p: with owner, mode and time.
func copyWhole(from, to string, data []byte) error {
	var info unix.Stat_t
	if err := unix.Stat(from, &info); err != nil {
		return err
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		return err
	}
	if err := unix.Chown(to, int(info.Uid), int(info.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(to, info.Mode&0o7777); err != nil {
		return err
	}
	return unix.UtimesNanoAt(unix.AT_FDCWD, to, []unix.Timespec{info.Atim, info.Mtim}, 0)
}

// isDiverted reports whether a path may be diverted (dpkg-divert(1)).
func isDiverted(name string) bool {
	text, err := os.ReadFile("/var/lib/dpkg/diversions")
	return err != nil && !os.IsNotExist(err) || slices.Contains(strings.Split(string(text), "\n"), name)
}

// hasTemplates reports whether debconf knows the questions of a package already,
// so that telling it of them again changes nothing.
func hasTemplates(package_ string) bool {
	text, err := os.ReadFile("/var/lib/dpkg/info/" + package_ + ".templates")
	if err != nil {
		return false
	}
	questions, err := os.ReadFile("/var/cache/debconf/config.dat")
	if err != nil {
		return false
	}
	templates, err := os.ReadFile("/var/cache/debconf/templates.dat")
	if err != nil {
		return false
	}
	for line := range bytes.Lines(text) {
		name, ok := bytes.CutPrefix(line, []byte("Template:"))
		if !ok {
			continue
		}
		name = bytes.TrimSpace(name)
		if !slices.Contains(ownersOf(questions, name), package_) || !slices.Contains(ownersOf(templates, name), string(name)) {
			return false
		}
	}
	return true
}

// ownersOf finds an item in the text of a database of debconf's.
func ownersOf(database, name []byte) []string {
	_, rest, ok := bytes.Cut(append([]byte("\n\n"), database...), slices.Concat([]byte("\n\nName: "), name, []byte("\n")))
	if !ok {
		return nil
	}
	stanza, _, _ := bytes.Cut(rest, []byte("\n\n"))
	for line := range bytes.Lines(stanza) {
		if owners, ok := bytes.CutPrefix(line, []byte("Owners: ")); ok {
			return splitList(strings.TrimSuffix(string(owners), "\n"))
		}
	}
	return nil
}
