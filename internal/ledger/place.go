package ledger

import (
	"path"
	"slices"
	"strings"
)

// Areas are the directories of a machine's state, as people name them. /usr/local
// is below /var, and comes with it.
func Areas() []string { return []string{"/home", "/opt", "/root", "/srv", "/var"} }

const (
	localName  = "/usr/local"    // as people name it
	localPlace = "/var/usrlocal" // where it is
)

// Place gives where a path of the state lies, relative to the directory of the
// state, and whether it is one.
func Place(name string) (string, bool) {
	if below, ok := within(name, localName); ok {
		name = localPlace + below
	}
	if !path.IsAbs(name) || path.Clean(name) != name {
		return "", false
	}
	for _, area := range Areas() {
		if _, ok := within(name, area); ok {
			return name[1:], true
		}
	}
	return "", false
}

// Name is the path that people know a place by: the other way round to [Place].
func Name(place string) string {
	name := "/" + place
	if below, ok := within(name, localPlace); ok {
		return localName + below
	}
	return name
}

// within reports whether name is dir or below it, and gives what comes after.
func within(name, dir string) (string, bool) {
	below, ok := strings.CutPrefix(name, dir)
	return below, ok && (below == "" || below[0] == '/')
}

// common are directories that belong to nobody: what is in them does.
var common = []string{
	"/home", "/opt", "/srv", "/var",
	"/var/cache", "/var/cache/private", "/var/crash", "/var/lib", "/var/lib/misc", "/var/lib/private", "/var/local",
	"/var/log", "/var/log/private", "/var/mail", "/var/opt", "/var/spool", "/var/tmp", "/var/www",
	"/usr/local", "/usr/local/bin", "/usr/local/etc", "/usr/local/games", "/usr/local/include", "/usr/local/lib", "/usr/local/libexec",
	"/usr/local/sbin", "/usr/local/share", "/usr/local/src",
}

func isCommon(name string) bool { return slices.Contains(common, name) }

// inHome reports whether a path is in somebody's home: that is theirs as a whole.
func inHome(name string) bool {
	return strings.HasPrefix(name, "/root/") || strings.HasPrefix(name, "/home/") && strings.Count(name, "/") > 2
}

// isState reports whether somebody can own a path. /var/run and /var/lock lead out
// of the state.
func isState(name string) bool {
	if _, ok := Place(name); !ok || isCommon(name) || inHome(name) {
		return false
	}
	for _, out := range []string{"/var/run", "/var/lock"} {
		if _, ok := within(name, out); ok {
			return false
		}
	}
	return true
}
