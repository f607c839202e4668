package build

import (
	"os"
	"path/filepath"

	"stet/internal/mount"
	"stet/internal/sandbox"
	"stet/internal/store"
	"stet/internal/system"
)

// ShellRoot gives a root with a built system's trees as the machine has them.
// /usr cannot be written; what is written elsewhere goes below dir, which the
// caller removes.
func ShellRoot(s *store.Store, m *system.Manifest, dir string) (sandbox.Root, error) {
	upper := func(name string) (string, string, error) {
		upper, work := filepath.Join(dir, name, "upper"), filepath.Join(dir, name, "work")
		if err := os.MkdirAll(upper, 0o755); err != nil {
			return "", "", err
		}
		return upper, work, os.Mkdir(work, 0o755)
	}
	composefs := func(name, upper, work string) *mount.Composefs {
		return &mount.Composefs{
			Image: s.ImagePath(m.Images[name]), Objects: s.ObjectsDir(), Upper: upper, Work: work, Volatile: upper != "",
			Source: "stet:" + name + ":" + m.Images[name].String(),
		}
	}
	stateUpper, stateWork, err := upper("state")
	if err != nil {
		return nil, err
	}
	etcUpper, etcWork, err := upper("etc")
	if err != nil {
		return nil, err
	}
	// The var tree has everything of the root but its mount points.
	root := sandbox.Root{
		{Target: "/", Composefs: composefs("var", stateUpper, stateWork)},
		{Target: "/usr", Composefs: composefs("usr", "", "")},
		{Target: "/usr/lib/modules", Composefs: composefs("modules", "", "")},
		{Target: "/etc", Composefs: composefs("etc", etcUpper, etcWork)},
		{Target: "/boot", Link: &sandbox.Link{To: "usr/lib/stet/boot"}},
	}
	for _, name := range []string{"/sys", "/mnt", "/media"} {
		root = append(root, sandbox.Mount{Target: name, Tmpfs: &sandbox.Tmpfs{Mode: 0o755}})
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		root = append(root, sandbox.Mount{Target: "/" + name, Link: &sandbox.Link{To: "usr/" + name}})
	}
	return root, nil
}
