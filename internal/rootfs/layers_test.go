package rootfs

import (
	"slices"
	"strings"
	"testing"

	"stet/internal/debian"
)

// candidates makes packages of lines such as "name 70 script: needs, more": what
// follows the name is MiB of Installed-Size, and whether there is a script.
func candidates(t *testing.T, lines ...string) (all []Candidate) {
	t.Helper()
	for _, line := range lines {
		head, depends, _ := strings.Cut(line, ":")
		words := strings.Fields(head)
		stanza, err := debian.ParseStanza([]byte("Package: " + words[0] + "\nVersion: 1\nArchitecture: amd64\nInstalled-Size: " + words[1] + "000\nDepends: " + strings.TrimSpace(depends) + "\n"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := debian.ParsePackage(stanza)
		if err != nil {
			t.Fatal(err)
		}
		p.Essential = slices.Contains(words, "essential")
		all = append(all, Candidate{p, slices.Contains(words, "script")})
	}
	return all
}

func TestLayers(t *testing.T) {
	base := []string{"libc 20", "dpkg 90 essential script: libc"}
	server := append(base, "server 10 script: library", "library 5", "data 40", "other 9", "large 200 script: library", "kernel 40 script")
	for name, c := range map[string]struct {
		set  []string
		want []string
	}{
		"nothing essential":       {server[2:], nil},
		"the base alone":          {base, []string{"dpkg libc"}},
		"no scripts":              {append(base, "kernel 90"), []string{"dpkg libc"}},
		"little is left":          {append(base, "server 10 script", "data 40"), []string{"dpkg libc"}},
		"needs little, then more": {server, []string{"dpkg libc", "dpkg libc library server", "dpkg kernel libc library server"}},
		"then too little is left": {server[:6], []string{"dpkg libc"}},
		"the base is no need":     {append(base, "server 10 script: dpkg", "kernel 90"), []string{"dpkg libc", "dpkg libc server"}},
		"all that needs much":     {append(base, "server 10 script: data", "data 130", "kernel 90"), []string{"dpkg libc"}},
		"all that needs some":     {append(base, "server 10 script: data", "data 30", "kernel 90"), []string{"dpkg libc", "data dpkg libc server"}},
		"what others look for":    {append(base, "systemd 10 script: data", "data 130", "server 1 script", "kernel 90"), []string{"dpkg libc", "data dpkg libc server systemd"}},
		"needs in a circle":       {append(base, "a 1 script: b", "b 1: a", "kernel 90"), []string{"dpkg libc", "a b dpkg libc"}},
		"one of two is chosen":    {append(base, "server 10 script: data | library", "data 130", "library 5", "kernel 90"), []string{"dpkg libc"}},
	} {
		var have []string
		for _, layer := range Layers(candidates(t, c.set...)) {
			var names []string
			for _, p := range layer {
				names = append(names, p.Name)
			}
			slices.Sort(names)
			have = append(have, strings.Join(names, " "))
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: have %q, want %q", name, have, c.want)
		}
	}
}
