package facts

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"stet/internal/mount"
	"stet/internal/plan"
)

// places are where trees are replaced.
var places = []string{"/usr", "/etc"}

// treeSource is how mounts of trees are called in mountinfo: stet:TREE:IMAGE.
const treeSource = "stet:"

// namespaces judges all mount namespaces.
type namespaces struct {
	own     []mount.Info
	reached map[int]bool // peer groups that follow the machine's mounts
}

func newNamespaces(w *world) *namespaces {
	n := &namespaces{own: w.mounts(), reached: map[int]bool{}}
	if root, ok := mount.On(n.own, "/"); ok && root.Shared != 0 {
		n.reached[root.Shared] = true
	}
	for again := true; again; { // a follower may be followed
		again = false
		for _, mounts := range w.namespaces {
			for _, m := range mounts {
				if m.Master != 0 && n.reached[m.Master] && m.Shared != 0 && !n.reached[m.Shared] {
					n.reached[m.Shared], again = true, true
				}
			}
		}
	}
	return n
}

// judge says how a namespace sees /usr and /etc; nil when it has nothing of the
// machine's.
func (n *namespaces) judge(mounts []mount.Info) *plan.Namespace {
	if !slices.ContainsFunc(mounts, func(m mount.Info) bool { return strings.HasPrefix(m.Source, treeSource) }) {
		return nil
	}
	found := &plan.Namespace{}
	// What is moved beneath /usr reaches those namespaces whose root, which /usr
	// is mounted on, follows the machine's.
	root, ok := mount.On(mounts, "/")
	found.Private = !ok || !n.reached[root.Shared] && !n.reached[root.Master]
	for _, m := range mounts {
		if slices.ContainsFunc(n.own, func(o mount.Info) bool { return o.Point == m.Point && o.Device == m.Device && o.Root == m.Root }) {
			continue
		}
		place := placeOf(m.Point)
		switch {
		case place != "" && m.Point != place:
			found.Below = append(found.Below, m.Point)
		case place == "":
			if of, ok := treePlace(m); ok {
				found.Copies = append(found.Copies, plan.Copy{Of: path.Join(of, m.Root), At: m.Point})
			}
		}
	}
	slices.Sort(found.Below)
	found.Below = slices.Compact(found.Below)
	slices.SortFunc(found.Copies, func(a, b plan.Copy) int { return cmp.Or(strings.Compare(a.At, b.At), strings.Compare(a.Of, b.Of)) })
	found.Copies = slices.Compact(found.Copies)
	if etc, ok := mount.On(mounts, "/etc"); ok && etc.ReadOnly() {
		machine, ok := mount.On(n.own, "/etc")
		found.ReadOnlyEtc = ok && !machine.ReadOnly()
	}
	return found
}

// placeOf gives the place that a mount point is in; "" for any other.
func placeOf(point string) string {
	for _, place := range places {
		if isBelow(point, place) {
			return place
		}
	}
	return ""
}

// treePlace gives the place whose tree a mount shows.
func treePlace(m mount.Info) (string, bool) {
	name, _, ok := strings.Cut(strings.TrimPrefix(m.Source, treeSource), ":")
	if !ok || !strings.HasPrefix(m.Source, treeSource) {
		return "", false
	}
	switch name {
	case "usr", "etc":
		return "/" + name, true
	}
	return "", false
}

// merge joins what several processes of a unit see.
func merge(a, b *plan.Namespace) *plan.Namespace {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	joined := &plan.Namespace{
		Private: a.Private || b.Private, Below: slices.Concat(a.Below, b.Below), Copies: slices.Concat(a.Copies, b.Copies),
		ReadOnlyEtc: a.ReadOnlyEtc || b.ReadOnlyEtc,
	}
	slices.Sort(joined.Below)
	joined.Below = slices.Compact(joined.Below)
	slices.SortFunc(joined.Copies, func(a, b plan.Copy) int { return cmp.Or(strings.Compare(a.At, b.At), strings.Compare(a.Of, b.Of)) })
	joined.Copies = slices.Compact(joined.Copies)
	return joined
}

// others are mount points in /usr and /etc that no tree is mounted at.
func (n *namespaces) others() []string {
	var all []string
	for _, m := range n.own {
		if place := placeOf(m.Point); place != "" && m.Point != place && !strings.HasPrefix(m.Source, treeSource) {
			all = append(all, m.Point)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
