package config

import (
	"regexp"
	"slices"
)

var nameLine = regexp.MustCompile(`(?m)^name:[ \t]*["']?([a-z0-9-]+)`)

// Names lists the machines that a repository declares in so many words, quickly
// and whatever is wrong with it. Those that come out of a CUE expression are not
// among them.
func Names(dir string) []string {
	t, err := read(dir)
	if err != nil {
		return nil
	}
	names, _ := t.declared()
	if found := nameLine.FindSubmatch(t.yaml); found != nil {
		names = append(names, string(found[1]))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OptionsDigest names what [Options] reads in a repository.
func OptionsDigest(dir string) string {
	t := &texts{}
	if dir != "" {
		if read, err := read(dir); err == nil {
			t = read
		}
	}
	t.yaml = nil
	return t.digest("", false)
}
