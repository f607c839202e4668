package rootfs

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"stet/internal/debian"
	"stet/internal/store"
	"stet/internal/tree"
)

// databaseDir is dpkg's database while the scripts run.
const databaseDir = "/var/lib/dpkg"

// database writes dpkg's database into the merged tree: every package
// unpacked (dpkg's doc/spec, deb-triggers(5)), apart from those that dpkg has
// configured in the base and has an account of.
type database struct {
	store *store.Store
	files *tree.Builder
	mtime tree.Time
	err   error
}

// writeDatabase takes dpkg's own stanzas of packages that are configured
// already, by [Package.key].
func writeDatabase(s *store.Store, m *merged, packages []*Package, configured map[string]debian.Stanza, architecture string, mtime tree.Time) error {
	d := &database{store: s, files: m.files, mtime: mtime}
	var status []byte
	triggers := map[string][]string{} // file below triggers/ to lines
	for _, p := range sorted(packages) {
		stanza, err := d.status(m, p, configured)
		if err != nil {
			return err
		}
		status = append(status, stanza...)
		d.put("info/"+p.infoName()+".list", m.list(p), 0o644)
		for e := range p.Control.All() {
			name := e.Path[1:]
			if name == "" || name == "control" {
				continue
			}
			entry := *e
			entry.Path = databaseDir + "/info/" + p.infoName() + "." + name
			entry.Mtime = mtime
			if isScript(name) {
				entry.Mode = 0o755
			}
			d.add(entry)
		}
		if _, has := p.Control.Lookup("/md5sums"); !has {
			sums, err := d.md5sums(m, p)
			if err != nil {
				return err
			}
			d.put("info/"+p.infoName()+".md5sums", sums, 0o644)
		}
		interests, err := d.interests(p)
		if err != nil {
			return err
		}
		for file, lines := range interests {
			triggers[file] = append(triggers[file], lines...)
		}
	}
	d.put("status", status, 0o644)
	for file, lines := range triggers {
		slices.Sort(lines)
		d.put("triggers/"+file, []byte(strings.Join(slices.Compact(lines), "\n")+"\n"), 0o644)
	}
	d.put("info/format", []byte("1\n"), 0o644)
	d.put("arch", architectures(packages, architecture), 0o644)
	for _, name := range []string{"available", "diversions", "statoverride", "triggers/Unincorp"} {
		d.put(name, nil, 0o644)
	}
	for _, name := range []string{"alternatives", "parts", "updates"} {
		d.add(tree.Entry{Path: databaseDir + "/" + name, Type: tree.Directory, Mode: 0o755, Mtime: mtime})
	}
	return d.err
}

// architectures is the list that dpkg --add-architecture keeps: the native one,
// then the foreign ones.
func architectures(packages []*Package, native string) []byte {
	all := []string{native}
	for _, p := range packages {
		if a := p.Architecture; a != "all" && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	slices.Sort(all[1:])
	return []byte(strings.Join(all, "\n") + "\n")
}

func isScript(name string) bool {
	return slices.Contains([]string{"preinst", "postinst", "prerm", "postrm", "config"}, name)
}

func (d *database) add(e tree.Entry) {
	d.files.MakeParents(e.Path, d.mtime)
	d.files.Put(e)
}

func (d *database) put(name string, data []byte, mode uint32) {
	digest, err := d.store.PutBytes(data)
	if err != nil && d.err == nil {
		d.err = err
	}
	d.add(tree.Entry{Path: databaseDir + "/" + name, Type: tree.Regular, Mode: mode, Size: int64(len(data)), Digest: digest, Mtime: d.mtime})
}

// status is the package's stanza in the status file.
func (d *database) status(m *merged, p *Package, configured map[string]debian.Stanza) ([]byte, error) {
	stanza, known := configured[p.key()]
	if !known {
		stanza = p.Stanza
		stanza.Fields = slices.Clone(stanza.Fields)
		stanza.Set("Status", "install ok unpacked")
	}
	if !known || len(m.taken[p]) > 0 { // another package may have a conffile now
		conffiles, err := d.conffiles(m, p)
		if err != nil {
			return nil, err
		}
		if conffiles != "" {
			stanza.Set("Conffiles", conffiles)
		}
	}
	text, err := stanza.AppendText(nil)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", p.Name, err)
	}
	return append(text, '\n'), nil
}

// readStatus gives the stanzas of dpkg's status file, by [Package.key].
func readStatus(text []byte) (map[string]debian.Stanza, error) {
	out := map[string]debian.Stanza{}
	scanner := debian.NewScanner(bytes.NewReader(text))
	for {
		stanza, err := scanner.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out[stanza.Get("Package")+":"+stanza.Get("Architecture")] = stanza
	}
}

// conffiles gives the field of that name: the files are at their places, so
// dpkg is told the sums they have and leaves them alone.
func (d *database) conffiles(m *merged, p *Package) (string, error) {
	list, err := p.controlFile(d.store, "conffiles")
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(string(list)) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "remove-on-upgrade ") {
			continue
		}
		e, ok := m.files.Get(m.place(p, &tree.Entry{Path: name, Type: tree.Regular}))
		if !ok || e.Type != tree.Regular {
			return "", fmt.Errorf("package %s: conffile %s is no file that it ships", p.Name, name)
		}
		sum, err := md5sum(d.store, &e)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "\n %s %s", name, sum)
	}
	return out.String(), nil
}

// md5sums are those of a package that ships none: dpkg makes them when it
// unpacks one, and its audit misses them otherwise.
func (d *database) md5sums(m *merged, p *Package) ([]byte, error) {
	var out bytes.Buffer
	for e := range p.Files.All() {
		if e.Type != tree.Regular || m.taken[p][e.Path] {
			continue
		}
		sum, err := md5sum(d.store, e)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s  %s\n", sum, e.Path[1:])
	}
	return out.Bytes(), nil
}

// md5sum is what dpkg compares conffiles by; nothing trusts it.
func md5sum(s *store.Store, e *tree.Entry) (string, error) {
	sum := md5.New()
	if e.Size > 0 {
		file, err := s.OpenObject(e.Digest)
		if err != nil {
			return "", err
		}
		defer file.Close()
		if _, err := io.Copy(sum, file); err != nil {
			return "", fmt.Errorf("read %s: %w", e.Path, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// interest is one trigger a package waits for.
type interest struct {
	name    string // a path or a name
	noawait bool
}

// interests gives the lines a package adds to files below triggers/.
func (d *database) interests(p *Package) (map[string][]string, error) {
	list, err := interestsOf(d.store, p)
	if err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, i := range list {
		who := p.infoName()
		if i.noawait {
			who += "/noawait"
		}
		if strings.HasPrefix(i.name, "/") {
			out["File"] = append(out["File"], i.name+" "+who)
		} else {
			out[i.name] = append(out[i.name], who)
		}
	}
	return out, nil
}

// interestsOf reads the interests of a package (deb-triggers(5)).
func interestsOf(s *store.Store, p *Package) ([]interest, error) {
	text, err := p.controlFile(s, "triggers")
	if err != nil {
		return nil, err
	}
	var out []interest
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) < 2 || !strings.HasPrefix(words[0], "interest") {
			continue
		}
		if strings.Contains(words[1], "/") != strings.HasPrefix(words[1], "/") || strings.Contains(words[1], "..") {
			return nil, fmt.Errorf("package %s: %q is no trigger", p.Name, words[1])
		}
		out = append(out, interest{words[1], words[0] == "interest-noawait"})
	}
	return out, nil
}
