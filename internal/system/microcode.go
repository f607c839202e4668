package system

import (
	"path"
	"strings"

	"stet/internal/initrd"
	"stet/internal/store"
	"stet/internal/tree"
)

// microcode gathers what the packages intel-microcode and amd64-microcode bring,
// in the order of the names.
func microcode(s *store.Store, usr *tree.Tree) (initrd.Microcode, error) {
	var m initrd.Microcode
	for _, vendor := range []struct {
		into *[]byte
		dir  string
		is   func(name string) bool
	}{
		// Debian gives another ending to those that a running kernel must not load.
		{&m.Intel, "/lib/firmware/intel-ucode", func(string) bool { return true }},
		{&m.AMD, "/lib/firmware/amd-ucode", func(name string) bool {
			return strings.HasPrefix(name, "microcode_amd") && strings.HasSuffix(name, ".bin")
		}},
	} {
		for e := range usr.Below(vendor.dir) {
			if e.Type != tree.Regular || !vendor.is(path.Base(e.Path)) {
				continue
			}
			content, err := s.ReadObject(e.Digest)
			if err != nil {
				return m, err
			}
			*vendor.into = append(*vendor.into, content...)
		}
	}
	return m, nil
}
