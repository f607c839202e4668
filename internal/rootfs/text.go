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
// directory. Names of variables are none.
func words(text []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for at, end := 0, 0; at < len(text); at = end + 1 {
			for end = at; end < len(text) && (isNameByte(text[end]) || text[end] == '/'); end++ {
			}
			word := string(text[at:end])
			i := strings.IndexByte(word, '/')
			if isVariable(text[:at]) {
				word, i = word[max(i, 0):], -1
				if !strings.HasPrefix(word, "/") {
					continue
				}
			}
			if i >= 0 {
				named := path.Clean(word[i:])
				if open := end < len(text) && strings.IndexByte("*?[{$`", text[end]) >= 0; open && !strings.HasSuffix(word, "/") {
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

// isVariable reports whether what follows a text is the name of a variable, in shell or
// Perl.
func isVariable(before []byte) bool {
	before = bytes.TrimSuffix(before, []byte("{"))
	return bytes.HasSuffix(before, []byte("$")) || bytes.HasSuffix(before, []byte("@"))
}
