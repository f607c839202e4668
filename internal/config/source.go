package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"stet/internal/similar"
)

// source checks a file that a configuration refers to: it must be a regular
// file inside the repository, also behind links. It gives the clean name.
func source(dir, name string) (clean, problem, remedy string) {
	if path.IsAbs(name) {
		return "", fmt.Sprintf("%s is outside the repository", name), "copy it into the repository, and name it from there: ./FILE"
	}
	clean = path.Clean(name)
	if clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Sprintf("%s is outside the repository", name), "copy it into the repository"
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", "cannot open the repository: " + cause(err), ""
	}
	defer root.Close()
	info, err := root.Stat(clean)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Sprintf("the file %s does not exist", name), near(root, clean)
	case err != nil && strings.Contains(err.Error(), "escapes"):
		return "", fmt.Sprintf("%s is a link to outside the repository", name), "a machine is made only of what is in its repository"
	case err != nil:
		return "", fmt.Sprintf("the file %s cannot be read: %s", name, cause(err)), ""
	case !info.Mode().IsRegular():
		return "", fmt.Sprintf("%s is %s, not a file", name, fileKind(info.Mode())), ""
	}
	return clean, "", ""
}

// near suggests a file of a similar name in the same directory.
func near(root *os.Root, name string) string {
	entries, err := fs.ReadDir(root.FS(), path.Dir(name))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	if found := similar.Nearest(path.Base(name), names); found != "" {
		return fmt.Sprintf("did you mean %q?", "./"+path.Join(path.Dir(name), found))
	}
	return ""
}

// fileKind names what is not a regular file.
func fileKind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	default:
		return "something special"
	}
}

// cause is an error without the path that the place already names.
func cause(err error) string {
	if strings.Contains(err.Error(), "escapes from parent") {
		return "it is a link to outside the repository"
	}
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		return inner.Err.Error()
	}
	return err.Error()
}
