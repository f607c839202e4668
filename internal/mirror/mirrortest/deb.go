package mirrortest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// made is the time stamp of everything in a package.
var made = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)

// Deb describes a package to be made. Only Name is needed.
type Deb struct {
	Name         string
	Version      string            // "1.0" when empty
	Architecture string            // "amd64" when empty
	Fields       map[string]string // more of the control file: "Depends", "Essential", …
	Scripts      map[string]string // "postinst" and the like, or "conffiles": text
	Files        map[string]string // absolute path to text; mode 0755 below a "bin" directory, else 0644
	Links        map[string]string // absolute path to the target of a symbolic link
}

func (d Deb) withDefaults() Deb {
	if d.Version == "" {
		d.Version = "1.0"
	}
	if d.Architecture == "" {
		d.Architecture = "amd64"
	}
	return d
}

// control is the package's stanza without what only an index knows.
func (d Deb) control() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Package: %s\nVersion: %s\nArchitecture: %s\n", d.Name, d.Version, d.Architecture)
	fields := map[string]string{
		"Maintainer":  "Nobody <nobody@localhost>",
		"Description": "made for a test",
		"Priority":    "optional",
		"Section":     "misc",
	}
	maps.Copy(fields, d.Fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "%s: %s\n", name, fields[name])
	}
	return b.String()
}

// Bytes makes the .deb (deb(5)). Equal descriptions give equal bytes.
func (d Deb) Bytes() []byte {
	d = d.withDefaults()
	control := newTree()
	control.file("control", d.control(), 0o644)
	for _, name := range slices.Sorted(maps.Keys(d.Scripts)) {
		mode := int64(0o755)
		if name == "conffiles" || name == "triggers" {
			mode = 0o644
		}
		control.file(name, d.Scripts[name], mode)
	}
	data := newTree()
	paths := slices.Sorted(maps.Keys(d.Files))
	paths = append(paths, slices.Sorted(maps.Keys(d.Links))...)
	slices.Sort(paths)
	for _, p := range paths {
		name := strings.TrimPrefix(p, "/")
		data.parents(name)
		if target, isLink := d.Links[p]; isLink {
			data.add(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, "")
			continue
		}
		mode := int64(0o644)
		if base := path.Base(path.Dir(p)); base == "bin" || base == "sbin" {
			mode = 0o755
		}
		data.file(name, d.Files[p], mode)
	}
	var out bytes.Buffer
	out.WriteString("!<arch>\n")
	writeMember(&out, "debian-binary", []byte("2.0\n"))
	writeMember(&out, "control.tar.xz", Compress(control.finish()))
	writeMember(&out, "data.tar.xz", Compress(data.finish()))
	return out.Bytes()
}

func writeMember(w *bytes.Buffer, name string, data []byte) {
	fmt.Fprintf(w, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, made.Unix(), 0, 0, "100644", len(data))
	w.Write(data)
	if len(data)%2 == 1 {
		w.WriteByte('\n')
	}
}

// Compress makes an .xz of data.
func Compress(data []byte) []byte {
	var out bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&out) // a larger one costs more than it saves here
	must(err)
	_, err = w.Write(data)
	must(err)
	must(w.Close())
	return out.Bytes()
}

type tree struct {
	buffer bytes.Buffer
	writer *tar.Writer
	dirs   map[string]bool
}

func newTree() *tree {
	t := &tree{dirs: map[string]bool{}}
	t.writer = tar.NewWriter(&t.buffer)
	t.parents("x")
	return t
}

// parents makes the directories above name that are not there yet.
func (t *tree) parents(name string) {
	dir := path.Dir(name)
	if t.dirs[dir] {
		return
	}
	if dir != "." {
		t.parents(dir)
	}
	t.dirs[dir] = true
	t.add(tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, "")
}

func (t *tree) file(name, text string, mode int64) {
	t.add(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(text))}, text)
}

func (t *tree) add(h tar.Header, text string) {
	if h.Name != "./" {
		h.Name = "./" + h.Name
	}
	h.ModTime, h.Uname, h.Gname, h.Format = made, "root", "root", tar.FormatGNU
	must(t.writer.WriteHeader(&h))
	_, err := io.WriteString(t.writer, text)
	must(err)
}

func (t *tree) finish() []byte {
	must(t.writer.Close())
	return t.buffer.Bytes()
}

// must ends a test whose own data cannot be made: nothing in it depends on
// anything outside.
func must(err error) {
	if err != nil {
		panic("mirrortest: " + err.Error())
	}
}
