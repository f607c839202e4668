package past

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"stet/internal/census"
	"stet/internal/debian"
	"stet/internal/plan"
	"stet/internal/system"
	"stet/internal/tree"
	"stet/internal/unit"
	"stet/internal/verity"
)

// places are where trees have what a machine has at a path: what is declared outside
// of /etc and /usr is content of the usr tree, and the var tree has the seeds.
func places(name string) (at []struct{ tree, path string }) {
	type place = struct{ tree, path string }
	for _, top := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if name == top || strings.HasPrefix(name, top+"/") {
			name = "/usr" + name // as merged-/usr has it
		}
	}
	if below, ok := strings.CutPrefix(name, "/etc"); ok && (below == "" || below[0] == '/') {
		return []place{{"etc", path.Clean("/" + below)}}
	}
	if below, ok := strings.CutPrefix(name, "/usr"); ok && (below == "" || below[0] == '/') {
		return []place{{"usr", path.Clean("/" + below)}}
	}
	at = []place{{"usr", "/lib/stet/files" + name}}
	if below, ok := strings.CutPrefix(name, "/var/"); ok {
		at = append(at, place{"usr", "/lib/stet/var/" + below}, place{"var", "/" + below})
	}
	return at
}

// file looks for what is at a path, and of a directory for all that is in it.
func (r *Reader) file(m *system.Manifest, name string) (Look, error) {
	for _, place := range places(path.Clean(name)) {
		t, err := r.part(m, place.tree, place.path)
		if err != nil {
			return Look{}, err
		}
		top, ok := t.Lookup(place.path)
		if !ok {
			continue
		}
		is := written(top)
		for e := range t.Below(place.path) {
			is += written(e)
		}
		return Look{Is: is}, nil
	}
	return Look{}, nil
}

// written is an entry without its time, which the day of a lock decides.
func written(e *tree.Entry) string {
	return fmt.Sprintf("%s %s %o %d:%d %d %s %q %d %v\n", e.Path, e.Type, e.Mode, e.UID, e.GID, e.Size, e.Digest, e.Target, e.Rdev, e.Xattrs)
}

// unitPlaces are where trees have unit files.
var unitPlaces = map[string][]string{"etc": {"/systemd/system", "/systemd/user"}, "usr": {"/lib/systemd/system", "/lib/systemd/user"}}

// unit looks for the files that are a unit: its own, what adds to it, and the links
// that enable it.
func (r *Reader) unit(m *system.Manifest, name string) (Look, error) {
	is := ""
	file := unit.FileName(name)
	for _, top := range slices.Sorted(maps.Keys(unitPlaces)) {
		t, err := r.part(m, top, unitPlaces[top]...)
		if err != nil {
			return Look{}, err
		}
		for e := range t.All() {
			base, dir := path.Base(e.Path), path.Base(path.Dir(e.Path))
			if base == name || base == file || dir == name+".d" || dir == file+".d" {
				is += top + written(e)
			}
		}
	}
	return Look{Is: is}, nil
}

// account looks for a line of passwd(5) or group(5).
func (r *Reader) account(m *system.Manifest, file, name string) (Look, error) {
	text, err := r.read(m, "etc", file)
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name+":") {
			return Look{Is: strings.TrimSpace(line)}, err
		}
	}
	return Look{}, err
}

// dpkg looks for the version of a package in dpkg's database.
func (r *Reader) dpkg(m *system.Manifest, name string) (Look, error) {
	name, architecture, _ := strings.Cut(name, ":")
	t, err := r.part(m, "usr", census.StatusFile)
	if err != nil {
		return Look{}, err
	}
	e, ok := t.Lookup(census.StatusFile)
	if !ok || e.Digest.IsZero() {
		return Look{}, nil
	}
	file, err := r.store.OpenObject(e.Digest)
	if err != nil {
		return Look{}, err
	}
	defer file.Close()
	var versions []string
	for scanner := debian.NewScanner(file); ; {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Look{}, err
		}
		if stanza.Get("Package") == name && (architecture == "" || stanza.Get("Architecture") == architecture) {
			versions = append(versions, stanza.Get("Version"))
		}
	}
	slices.Sort(versions)
	all := strings.Join(slices.Compact(versions), ", ")
	return Look{Is: all, Value: all}, nil
}

// variable looks what a system sets a variable of the kernel to.
func (r *Reader) variable(m *system.Manifest, name string) (Look, error) {
	declared, err := plan.ReadDeclared(sysctlStore{r}, plan.System{Trees: m.Trees})
	if err != nil {
		return Look{}, err
	}
	value, ok := declared.Sysctl[name]
	if !ok {
		return Look{}, nil
	}
	return Look{Is: "=" + value, Value: value}, nil
}

// sysctlStore gives plan.ReadDeclared no more of the trees than what sets variables.
type sysctlStore struct{ *Reader }

// Tree implements plan.Store.
func (s sysctlStore) Tree(digest string) (*tree.Tree, error) {
	return s.part(&system.Manifest{Trees: map[string]string{"": digest}}, "", "/sysctl.d", "/sysctl.conf", "/lib/sysctl.d")
}

// Files implements plan.Store.
func (s sysctlStore) Files(digest string) (tree.Files, error) {
	t, err := s.Tree(digest)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// ReadObject implements plan.Store.
func (s sysctlStore) ReadObject(d verity.Digest) ([]byte, error) { return s.store.ReadObject(d) }
