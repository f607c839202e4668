package understudy

import (
	"slices"
	"strings"
)

// maintscriptHelper is dpkg-maintscript-helper(1) in a first installation,
// where it checks its arguments and finds nothing to do.
func (c *Call) maintscriptHelper() (int, error) {
	if len(c.Args) == 0 || c.Getenv("DPKG_ROOT") != "" || c.Getenv("DPKG_DATADIR") != "" {
		return 0, errDeclined
	}
	if debug := c.Getenv("DPKG_MAINTSCRIPT_DEBUG"); debug != "" && debug != "0" {
		return 0, errDeclined
	}
	if c.Getenv("DPKG_MAINTSCRIPT_NAME") == "" || c.Getenv("DPKG_MAINTSCRIPT_PACKAGE") == "" {
		return 0, errDeclined
	}
	command, args := c.Args[0], c.Args[1:]
	if command == "supports" {
		if len(args) == 1 && slices.Contains([]string{"rm_conffile", "mv_conffile", "symlink_to_dir", "dir_to_symlink"}, args[0]) {
			return 0, nil
		}
		return 0, errDeclined
	}
	separator := slices.Index(args, "--")
	if separator < 0 {
		return 0, errDeclined
	}
	return c.transition(command, args[:separator], args[separator+1:])
}

// transition is a command about paths, with the parameters of the script.
func (c *Call) transition(command string, args, parameters []string) (int, error) {
	paths := 2
	if command == "rm_conffile" {
		paths = 1
	}
	if len(args) < paths || len(args) > paths+2 || len(parameters) == 0 || slices.Contains(parameters, "--") {
		return 0, errDeclined
	}
	name := args[0]
	if !strings.HasPrefix(name, "/") || strings.HasSuffix(name, "/") || args[paths-1] == "" {
		return 0, errDeclined
	}
	if command == "mv_conffile" && !strings.HasPrefix(args[1], "/") {
		return 0, errDeclined
	}
	if len(args) > paths && args[paths] != "" && !isPlainVersion(args[paths]) {
		return 0, errDeclined
	}
	old := "" // the version that was installed
	if len(parameters) > 1 {
		old = parameters[1]
	}
	var idle bool
	switch script := c.Getenv("DPKG_MAINTSCRIPT_NAME"); command {
	case "rm_conffile", "mv_conffile":
		idle = script == "preinst" || script == "postinst"
	case "symlink_to_dir":
		idle = script == "preinst" || script == "postinst" && !isLink(name+".dpkg-backup")
	case "dir_to_symlink":
		idle = script == "preinst" || script == "postinst" && !isDirectory(name+".dpkg-backup")
	}
	if !idle || old != "" || !slices.Contains([]string{"install", "configure"}, parameters[0]) {
		return 0, errDeclined
	}
	return 0, nil
}

// isPlainVersion reports whether a version is certainly valid
// (deb-version(7)).
func isPlainVersion(version string) bool {
	if epoch, rest, ok := strings.Cut(version, ":"); ok {
		if len(epoch) > 4 || strings.Trim(epoch, "0123456789") != "" || epoch == "" {
			return false
		}
		version = rest
	}
	upstream, revision, ok := strings.Cut(version, "-")
	return isPlain(upstream, ".+~") && upstream[0] >= '0' && upstream[0] <= '9' && (!ok || isPlain(revision, ".+~"))
}
