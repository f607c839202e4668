package mirror

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
)

const maxSourcesFile = 1 << 20

// hostSources lists the URIs of binary packages in the APT sources of the host
// whose root is host (sources.list(5)), in APT's order. Sources that are
// disabled, or reached by other means than http, https and file, are left out,
// and so is what cannot be read: a file that APT would complain about is no
// reason for Stet to.
func hostSources(host fs.FS) []place {
	files := []string{"etc/apt/sources.list"}
	entries, _ := fs.ReadDir(host, "etc/apt/sources.list.d") // sorted by name, as APT reads them
	for _, entry := range entries {
		if ending := path.Ext(entry.Name()); ending == ".list" || ending == ".sources" {
			files = append(files, "etc/apt/sources.list.d/"+entry.Name())
		}
	}
	var places []place
	for _, name := range files {
		text, err := readLimited(host, name)
		if err != nil {
			continue
		}
		uris := listURIs(text)
		if path.Ext(name) == ".sources" {
			uris = stanzaURIs(text)
		}
		for _, uri := range uris {
			if base, ok := cleanURL(uri); ok {
				places = append(places, place{base: base, origin: "/" + name, mustVerify: true})
			}
		}
	}
	return places
}

func readLimited(host fs.FS, name string) (string, error) {
	f, err := host.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSourcesFile+1))
	if err == nil && len(text) > maxSourcesFile {
		err = fmt.Errorf("read %s: larger than %d bytes", name, maxSourcesFile)
	}
	return string(text), err
}

// listURIs reads the one-line style: deb [option=value …] uri suite component…
func listURIs(text string) []string {
	var uris []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		line, isDeb := strings.CutPrefix(strings.TrimSpace(line), "deb")
		if !isDeb || line == "" || line[0] != ' ' && line[0] != '\t' && line[0] != '[' {
			continue
		}
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			_, after, closed := strings.Cut(line, "]")
			if !closed {
				continue
			}
			line = after
		}
		if words := strings.Fields(line); len(words) >= 2 {
			uris = append(uris, words[0])
		}
	}
	return uris
}

// stanzaURIs reads the deb822 style.
func stanzaURIs(text string) []string {
	var uris []string
	scanner := debian.NewScanner(strings.NewReader(text))
	scanner.Comments = true
	for {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) || err != nil {
			return uris
		}
		enabled := strings.ToLower(stanza.Get("Enabled"))
		if slices.Contains([]string{"no", "false", "without", "off", "disable"}, enabled) {
			continue
		}
		if slices.Contains(strings.Fields(stanza.Get("Types")), "deb") {
			uris = append(uris, strings.Fields(stanza.Get("URIs"))...)
		}
	}
}
