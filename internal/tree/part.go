package tree

import "path"

// Part gives what is at some places and below them, with the directories that lead
// there. A place that the tree does not have is no error.
func (l *Lines) Part(places ...string) (*Tree, error) {
	chosen := map[string]*Entry{}
	for _, place := range places {
		place = path.Clean("/" + place)
		for e := range l.Below(place) {
			chosen[e.Path] = e
		}
		for at := place; at != "/"; at = path.Dir(at) {
			if e, ok := l.Lookup(at); ok {
				chosen[at] = e
			}
		}
	}
	if root, ok := l.Lookup("/"); ok {
		chosen["/"] = root
	}
	entries := make([]Entry, 0, len(chosen))
	for _, e := range chosen {
		entries = append(entries, *e)
	}
	return New(entries)
}
