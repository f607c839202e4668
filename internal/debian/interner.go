package debian

import "strings"

// interner gives equal texts of one index the same memory: of half a million
// relations in an index some ninety thousand are different. What it returns
// keeps nothing of the stanza alive. The zero value serves one stanza.
type interner struct {
	// bulk makes room for many things at a time, for a whole index.
	bulk bool

	words        map[string]string       // the few values of sections, priorities, …
	alternatives map[string]Alternatives // by their text between two commas
	version      string                  // the last one: packages of one source are neighbours

	// Room that new values are cut from. What packages share has its own, so that the
	// rest can go when its packages do.
	text      strings.Builder
	shared    strings.Builder
	lists     []Alternatives
	relations []Relation
}

// How much room is made at a time for a whole index.
const (
	textRoom = 64 << 10
	listRoom = 8192
)

// keep copies what one package has.
func (in *interner) keep(s string) string { return in.copyTo(&in.text, s) }

// share copies what others have too.
func (in *interner) share(s string) string { return in.copyTo(&in.shared, s) }

func (in *interner) copyTo(room *strings.Builder, s string) string {
	if !in.bulk || len(s) > textRoom/16 {
		return strings.Clone(s)
	}
	// A Builder never moves text that it has room for.
	if room.Cap()-room.Len() < len(s) {
		*room = strings.Builder{}
		room.Grow(textRoom)
	}
	begin := room.Len()
	room.WriteString(s)
	return room.String()[begin:]
}

// word copies s if no equal word was copied before. It is for fields that have
// few values.
func (in *interner) word(s string) string {
	if kept, ok := in.words[s]; ok || s == "" {
		return kept
	}
	if in.words == nil {
		in.words = make(map[string]string)
	}
	kept := in.share(s)
	in.words[kept] = kept
	return kept
}

func (in *interner) keepVersion(s string) string {
	if s != in.version {
		in.version = in.keep(s)
	}
	return in.version
}

func (in *interner) parseRelations(text string) (Relations, error) {
	if text = trimSpace(text); text == "" {
		return nil, nil
	}
	in.lists = roomFor(in.lists, strings.Count(text, ",")+1, in.bulk)
	begin := len(in.lists)
	for more := true; more; {
		var item string
		item, text, more = strings.Cut(text, ",")
		if item = trimSpace(item); item == "" {
			continue
		}
		a, err := in.parseAlternatives(item)
		if err != nil {
			return nil, err
		}
		in.lists = append(in.lists, a)
	}
	if begin == len(in.lists) {
		return nil, nil
	}
	return Relations(in.lists[begin:len(in.lists):len(in.lists)]), nil
}

func (in *interner) parseAlternatives(item string) (Alternatives, error) {
	if a, ok := in.alternatives[item]; ok {
		return a, nil
	}
	key := in.share(item) // the relations below are parts of it
	in.relations = roomFor(in.relations, strings.Count(key, "|")+1, in.bulk)
	begin := len(in.relations)
	for rest, more := key, true; more; {
		var one string
		one, rest, more = strings.Cut(rest, "|")
		r, err := parseRelation(one)
		if err != nil {
			return nil, err
		}
		in.relations = append(in.relations, r)
	}
	a := Alternatives(in.relations[begin:len(in.relations):len(in.relations)])
	if in.alternatives == nil {
		in.alternatives = make(map[string]Alternatives)
	}
	in.alternatives[key] = a
	return a, nil
}

// roomFor returns room for n more values: the same slice, or an empty one.
func roomFor[T any](room []T, n int, bulk bool) []T {
	if cap(room)-len(room) >= n {
		return room
	}
	if bulk {
		n = max(n, listRoom)
	}
	return make([]T, 0, n)
}
