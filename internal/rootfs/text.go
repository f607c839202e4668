package rootfs

import (
	"bytes"
	"iter"
	"path"
	"strings"

	"stet/internal/store"
	"stet/internal/tree"
)

// scriptText is a script without its comments.
type scriptText struct {
	of   *Package
	name string
	text []byte
}

// scriptTexts gives what runs when a package is installed.
func (p *Package) scriptTexts(s *store.Store) (all []scriptText, err error) {
	for _, name := range []string{"postinst", "config", "preinst"} {
		text, err := p.controlFile(s, name)
		if err != nil {
			return all, err
		}
		if len(text) > 0 {
			all = append(all, scriptText{p, name, withoutComments(text)})
		}
	}
	return all, nil
}

// commandPlaces are where commands are found by their names.
var commandPlaces = []string{"/usr/bin", "/usr/sbin", "/usr/games", "/usr/local/bin", "/usr/local/sbin"}

// programText gives a file of a package that is a script, whoever calls it; nil if it is
// something else.
func (p *Package) programText(s *store.Store, e *tree.Entry) (*scriptText, error) {
	const largest = 256 << 10
	if e.Type != tree.Regular || e.Size > largest {
		return nil, nil
	}
	text, err := s.ReadObject(e.Digest)
	if err != nil || !bytes.HasPrefix(text, []byte("#!")) {
		return nil, err
	}
	return &scriptText{p, unalias(e), withoutComments(text)}, nil
}

func withoutComments(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) {
			out = append(out, line...)
		}
	}
	return out
}

// hasWord reports whether a text has a path or name that does not go on.
func hasWord(text []byte, word string) bool {
	for {
		i := bytes.Index(text, []byte(word))
		if i < 0 {
			return false
		}
		after := text[i+len(word):]
		begins := strings.HasPrefix(word, "/") || i == 0 || !isNameByte(text[i-1])
		if begins && (len(after) == 0 || !isNameByte(after[0])) {
			return true
		}
		text = text[i+1:]
	}
}

func isNameByte(b byte) bool {
	return b == '_' || b == '-' || b == '.' || b == '+' || '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

// words gives the names in a text, and its paths where they are since /usr has all, each
// perhaps more than once. Of a path that a pattern or a variable ends, it gives the
// directory.
func words(text []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := text; len(rest) > 0; {
			n := 0
			for n < len(rest) && (isNameByte(rest[n]) || rest[n] == '/') {
				n++
			}
			word := string(rest[:n])
			open := n < len(rest) && bytes.IndexByte([]byte("*?[{$`"), rest[n]) >= 0
			rest = rest[min(n+1, len(rest)):]
			if i := strings.IndexByte(word, '/'); i >= 0 {
				named := path.Clean(word[i:])
				if open && !strings.HasSuffix(word, "/") {
					named = path.Dir(named)
				}
				if named != "/" && !yield(unaliasFile(named)) {
					return
				}
			}
			for name := range strings.SplitSeq(word, "/") {
				if name != "" && !yield(name) {
					return
				}
			}
		}
	}
}
