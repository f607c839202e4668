package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"stet/internal/debian"
	"stet/internal/machine"
)

// readLocal reads what a .deb of the repository says of itself. It must be the
// package that it is declared as, for this machine.
func readLocal(dir, file, declared, native string) (local *machine.Local, problem, remedy string) {
	clean, problem, remedy := source(dir, file)
	if problem != "" {
		return nil, problem, remedy
	}
	for i := range len(clean) {
		if c := clean[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, fmt.Sprintf("the name %q has a character that no line of stet.lock can have", clean), "rename it: letters, digits and . + ~ _ - will do"
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, "cannot open the repository: " + cause(err), ""
	}
	defer root.Close()
	f, err := root.Open(clean)
	if err != nil {
		return nil, fmt.Sprintf("%s cannot be read: %s", file, cause(err)), ""
	}
	defer f.Close()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return nil, fmt.Sprintf("%s cannot be read: %s", file, cause(err)), ""
	}
	p, err := controlOf(f, size)
	if err != nil {
		return nil, fmt.Sprintf("%s is not a .deb: %s", file, err), "dpkg-deb --build makes one"
	}
	name, architecture, qualified := strings.Cut(declared, ":")
	if !qualified {
		architecture = native
	}
	if p.Name != name {
		return nil, fmt.Sprintf("%s is package %q, not %q", file, p.Name, name), fmt.Sprintf("declare it as that: %s: {local: %s}", p.Name, file)
	}
	if p.Architecture != "all" && p.Architecture != architecture {
		remedy := "build it for " + architecture
		if !qualified {
			remedy += fmt.Sprintf(", or declare it as %q", p.Name+":"+p.Architecture)
		}
		return nil, fmt.Sprintf("%s is made for architecture %q, not %q", file, p.Architecture, architecture), remedy
	}
	return &machine.Local{
		Path: path.Clean(clean), Version: p.Version, Architecture: p.Architecture,
		Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)),
	}, "", ""
}

func controlOf(f io.ReaderAt, size int64) (debian.Package, error) {
	deb, err := debian.OpenDeb(f, size)
	if err != nil {
		return debian.Package{}, err
	}
	control, err := deb.Control()
	if err != nil {
		return debian.Package{}, err
	}
	return control.Package()
}
