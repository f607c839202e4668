package build

import (
	"fmt"
	"slices"
	"strings"

	"stet/internal/catalog"
	"stet/internal/debian"
)

// unserved says which of a machine's foreign architectures no archive has, for
// the end of an error: what is wanted of them cannot be there.
func unserved(w wishes, indices []index) string {
	var none []string
	for _, architecture := range w.Foreign {
		if !slices.ContainsFunc(indices, func(i index) bool { return i.serves(architecture) }) {
			none = append(none, architecture)
		}
	}
	if none == nil {
		return ""
	}
	return fmt.Sprintf("; no archive has packages for %s", strings.Join(none, " and "))
}

// serves reports whether an archive has packages for an architecture.
func (i index) serves(architecture string) bool {
	return slices.ContainsFunc(i.catalogs, func(c *catalog.Catalog) bool {
		return slices.ContainsFunc(c.All(), func(p *debian.Package) bool { return p.Architecture == architecture })
	})
}
