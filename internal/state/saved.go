package state

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Untouched divides paths that an earlier upper has: those that nothing in the
// current one is at, above or below, and those that somebody changed since.
func Untouched(saved, current []string) (untouched, touched []string) {
	for _, name := range saved {
		if slices.ContainsFunc(current, func(now string) bool {
			return now == name || strings.HasPrefix(now, name+"/") || strings.HasPrefix(name, now+"/")
		}) {
			touched = append(touched, name)
		} else {
			untouched = append(untouched, name)
		}
	}
	return untouched, touched
}

// passwordLock is what lckpwdf(3) leaves: it says nothing.
const passwordLock = ".pwd.lock"

// Saved lists what an upper of /etc has that the machine did not keep: absolute
// paths, sorted, of files and of what was removed; and when the last of them was
// written. A directory is named only when there is nothing in it, kept or not: else it
// is there for what it holds.
func (u Upper) Saved(policy Policy) (all []string, latest time.Time, err error) {
	root, err := os.OpenRoot(u.Upper())
	if err != nil {
		return nil, latest, err
	}
	defer root.Close()
	holds := map[string]bool{}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." || name == passwordLock {
			return err
		}
		at := path.Join("/etc", name)
		holds[path.Dir(at)] = true
		switch kept := policy.Persists(at); {
		case kept && entry.IsDir():
			return fs.SkipDir
		case kept:
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.ModTime().After(latest) {
			latest = info.ModTime()
		}
		all = append(all, at)
		return nil
	})
	all = slices.DeleteFunc(all, func(name string) bool { return holds[name] })
	slices.Sort(all)
	return all, latest, err
}
