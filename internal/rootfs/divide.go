package rootfs

import (
	"crypto/sha256"
	"fmt"

	"stet/internal/tree"
)

// divide gives two trees that, one laid on the other, are the tree: both have
// every directory, and one of them each file. An overlay lists the entries of
// its lowest layer first. Files of more than limit bytes are all beneath.
func divide(t *tree.Tree, seed uint64, limit int64) (above, beneath *tree.Tree, err error) {
	var entries [2][]tree.Entry
	for e := range t.All() {
		if e.Type == tree.Directory {
			entries[0], entries[1] = append(entries[0], *e), append(entries[1], *e)
			continue
		}
		side := sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, e.Path))[0] & 1
		if e.Size > limit {
			side = 1
		}
		entries[side] = append(entries[side], *e)
	}
	if above, err = tree.New(entries[0]); err != nil {
		return nil, nil, err
	}
	beneath, err = tree.New(entries[1])
	return above, beneath, err
}
