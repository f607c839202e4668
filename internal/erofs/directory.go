package erofs

import (
	"cmp"
	"path"
	"slices"
)

// name is the last element of an inode's path.
func (n *inode) name() string { return path.Base(n.entry.Path) }

func sortByName(children []*inode) {
	slices.SortFunc(children, func(a, b *inode) int { return cmp.Compare(a.name(), b.name()) })
}

// dirent is one name in a directory.
type dirent struct {
	name string
	node *inode
}

// dirents gives all names of a directory in byte order, in which the kernel
// searches them: "." and ".." have their place among the others.
func (n *inode) dirents() []dirent {
	entries := make([]dirent, 0, len(n.children)+2)
	entries = append(entries, dirent{".", n}, dirent{"..", n.parent})
	for _, child := range n.children {
		entries = append(entries, dirent{child.name(), child})
	}
	slices.SortFunc(entries, func(a, b dirent) int { return cmp.Compare(a.name, b.name) })
	return entries
}

// directory gives the blocks of a directory. Every block has its own table of
// fixed entries followed by their names; the last one ends with its last name.
func (n *inode) directory() []byte {
	entries := n.dirents()
	var out []byte
	for len(entries) > 0 {
		count, used := 0, 0
		for count < len(entries) && used+direntSize+len(entries[count].name) <= blockSize {
			used += direntSize + len(entries[count].name)
			count++
		}
		for len(out)%blockSize != 0 {
			out = append(out, 0)
		}
		out = appendBlock(out, entries[:count])
		entries = entries[count:]
	}
	return out
}

func appendBlock(out []byte, entries []dirent) []byte {
	nameOffset := direntSize * len(entries)
	for _, e := range entries {
		out = le.AppendUint64(out, e.node.nid())
		out = le.AppendUint16(out, uint16(nameOffset))
		out = append(out, fileTypes[e.node.entry.Type].dirent, 0)
		nameOffset += len(e.name)
	}
	for _, e := range entries {
		out = append(out, e.name...)
	}
	return out
}
