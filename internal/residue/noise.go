package residue

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"stet/internal/debian"
)

// Noise is what software does by design on a running machine and nobody declares:
// drift that is none. It changes no system, so it is a table of its own.
type Noise struct {
	rules []noiseRule
}

type noiseRule struct {
	kind  string
	names []string
	of    []string // programs of ports, types of file systems, words about files; none: any
	why   string
}

//go:embed noise.txt
var builtinNoise []byte

// BuiltinNoise gives Stet's own table.
func BuiltinNoise() (*Noise, error) { return ParseNoise(builtinNoise) }

// ParseNoise reads a table. Errors name the line.
func ParseNoise(text []byte) (*Noise, error) {
	n := &Noise{}
	if err := debian.ReadTable("noise table", formatVersion, text, n.add); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Noise) add(s debian.Stanza) error {
	r := noiseRule{s.Get("Kind"), strings.Fields(s.Get("Names")), strings.Fields(s.Get("Of")), s.Get("Why")}
	if r.kind == "" || len(r.names) == 0 || r.why == "" {
		return errors.New("a rule needs Kind, Names and Why")
	}
	for _, p := range slices.Concat(r.names, r.of) {
		if _, err := path.Match(strings.ReplaceAll(p, "**", "*"), ""); err != nil {
			return fmt.Errorf("%q is no pattern", p)
		}
	}
	n.rules = append(n.rules, r)
	return nil
}

// Why gives the reason of the first rule for what differs; "" when there is none.
// Of is the program of a port, the type of a file system that is mounted, or what of a
// file is other than its content.
func (n *Noise) Why(kind, name, of string) string {
	matching := func(text string) func(string) bool {
		return func(pattern string) bool { return matches(pattern, text) }
	}
	for _, r := range n.rules {
		if r.kind == kind && slices.ContainsFunc(r.names, matching(name)) && (len(r.of) == 0 || slices.ContainsFunc(r.of, matching(of))) {
			return r.why
		}
	}
	return ""
}

// Kinds are those that the rules are about, sorted.
func (n *Noise) Kinds() []string {
	var all []string
	for _, r := range n.rules {
		all = append(all, r.kind)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
