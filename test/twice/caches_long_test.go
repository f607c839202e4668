//go:build long

package twice_test

import (
	"os"
	"path/filepath"
	"testing"

	"stet/test/program"
)

// Packages whose scripts make something of what all the others ship: fonts,
// manuals of both kinds, plugins, certificates, icons, menus and types. In no
// order of configuring does it come out otherwise.
const cachePackages = "[man-db, info, install-info, wget, diffutils, fontconfig, fonts-urw-base35, gsfonts, vlc-plugin-base, libvlc-bin, " +
	"ca-certificates-java, hicolor-icon-theme, gtk-update-icon-cache, desktop-file-utils, shared-mime-info, dictionaries-common, wamerican]"

func TestCachesKeepNoTraceOfTheOrder(t *testing.T) {
	p := program.Example(t, "minimal")
	name := filepath.Join(p.Dir, "stet.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(text, "\npackages: "+cachePackages+"\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Must(t, "lock")
	for range 3 {
		isTheSameTwice(t, p)
	}
}
