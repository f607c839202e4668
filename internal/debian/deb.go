package debian

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits bounds what a hostile .deb may cost. A zero field means the default.
type Limits struct {
	ControlSize int64 // bytes of control.tar after decompression; 64 MiB
	ControlFile int64 // bytes of one file in it; 16 MiB
	DataSize    int64 // bytes of data.tar after decompression, and sum of its file sizes; 64 GiB

	// Ratio is how many times larger than its compressed form a member may
	// become; 1000, which ordinary packages are far below and zeros above. The
	// first 64 MiB of a member may have any ratio.
	Ratio int64

	// Workers is how many blocks of an xz member are decompressed at a time; 1.
	// Up to Workers+1 blocks of 64 MiB are kept in memory.
	Workers int
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int64
		value int64
	}{
		{&l.ControlSize, 64 << 20},
		{&l.ControlFile, 16 << 20},
		{&l.DataSize, 64 << 30},
		{&l.Ratio, 1000},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return l
}

// Deb is a binary package file in the format of deb(5), version 2.
type Deb struct {
	// Limits may be set before Control and Data are called.
	Limits Limits

	r             io.ReaderAt
	control, data arMember
}

// OpenDeb finds the members of the .deb of size bytes in r. It decompresses
// nothing. r must stay readable while the Deb and what it gives are in use,
// by several goroutines at a time.
func OpenDeb(r io.ReaderAt, size int64) (*Deb, error) {
	d := &Deb{r: r}
	if err := d.open(size); err != nil {
		return nil, fmt.Errorf("read .deb: %w", err)
	}
	return d, nil
}

func (d *Deb) open(size int64) error {
	members, err := readAr(d.r, size)
	if err != nil {
		return err
	}
	if len(members) == 0 || members[0].name != "debian-binary" {
		return errors.New("the first member is not debian-binary")
	}
	if err := d.checkFormat(members[0]); err != nil {
		return fmt.Errorf("member debian-binary: %w", err)
	}
	for _, m := range members[1:] {
		var slot *arMember
		switch {
		case m.name == "control.tar" || strings.HasPrefix(m.name, "control.tar."):
			slot = &d.control
		case m.name == "data.tar" || strings.HasPrefix(m.name, "data.tar."):
			if d.control.name == "" {
				return fmt.Errorf("member %s stands before control.tar", m.name)
			}
			slot = &d.data
		case strings.HasPrefix(m.name, "_"):
			continue // deb(5) reserves these for others
		case d.data.name != "":
			continue // deb(5): more members may follow and are ignored
		default:
			return fmt.Errorf("unexpected member %s", m.name)
		}
		if slot.name != "" {
			return fmt.Errorf("member %s: %s is there already", m.name, slot.name)
		}
		if _, err := compressionOf(m.name); err != nil {
			return fmt.Errorf("member %s: %w", m.name, err)
		}
		*slot = m
	}
	if d.control.name == "" {
		return errors.New("member control.tar is missing")
	}
	if d.data.name == "" {
		return errors.New("member data.tar is missing")
	}
	return nil
}

// checkFormat accepts format versions 2.x: deb(5) promises that minor versions
// stay readable, and that further lines of the member may be ignored.
func (d *Deb) checkFormat(m arMember) error {
	text := make([]byte, min(m.size, 64))
	if err := readFullAt(d.r, text, m.offset); err != nil {
		return err
	}
	version, _, ended := strings.Cut(string(text), "\n")
	minor, is2 := strings.CutPrefix(version, "2.")
	if !ended || !is2 || minor == "" || !allDigits(minor) {
		return fmt.Errorf("format version %.20q is not supported, only 2.x is", version)
	}
	return nil
}

// Control is the content of a .deb's control.tar: what the packaging system
// needs to know of the package.
type Control struct {
	// Stanza is the file "control".
	Stanza Stanza

	// Files are all files of the archive by their plain names, "control" among
	// them: "preinst", "postinst", "prerm", "postrm", "config", "conffiles",
	// "md5sums", "triggers", "templates", "shlibs", "symbols", …
	Files map[string][]byte
}

// Control reads and checks control.tar.
func (d *Deb) Control() (*Control, error) {
	limits := d.Limits.withDefaults()
	r, err := d.openMember(d.control, limits.ControlSize, limits)
	if err != nil {
		return nil, fmt.Errorf("read .deb: member %s: %w", d.control.name, err)
	}
	defer r.Close()
	c, err := readControl(r, limits)
	if err != nil {
		return nil, fmt.Errorf("read .deb: member %s: %w", d.control.name, err)
	}
	return c, nil
}

func readControl(r io.Reader, limits Limits) (*Control, error) {
	c := &Control{Files: make(map[string][]byte)}
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeXGlobalHeader:
			continue
		case tar.TypeDir:
			if name != "." {
				return nil, fmt.Errorf("directory %.80q in a control archive", h.Name)
			}
			continue
		case tar.TypeReg:
		default:
			return nil, fmt.Errorf("%.80q is not a regular file (tar type %q)", h.Name, h.Typeflag)
		}
		if !validControlName(name) {
			return nil, fmt.Errorf("%.80q is not a name for a control file", h.Name)
		}
		if _, twice := c.Files[name]; twice {
			return nil, fmt.Errorf("file %s is there twice", name)
		}
		if h.Size > limits.ControlFile {
			return nil, fmt.Errorf("file %s: %d bytes are more than the limit of %d", name, h.Size, limits.ControlFile)
		}
		// The size is a claim: let the buffer grow with what is really there.
		content, err := io.ReadAll(io.LimitReader(archive, h.Size))
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		c.Files[name] = content
	}
	// Only the end of the stream tells whether its checksum is right.
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	text, ok := c.Files["control"]
	if !ok {
		return nil, errors.New("file control is missing")
	}
	var err error
	if c.Stanza, err = ParseStanza(text); err != nil {
		return nil, fmt.Errorf("file control: %w", err)
	}
	return c, nil
}

// validControlName keeps names to what dpkg's info directory can hold next to
// each other, "<package>.<name>".
func validControlName(name string) bool {
	if name == "" || len(name) > 64 || name[0] == '.' {
		return false
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isDigit(c) && !isLetter(c) && c != '-' && c != '_' && c != '.' && c != '+' {
			return false
		}
	}
	return true
}

// Package is the control file's stanza as a package. Filename, Size and SHA256
// are empty: only an index knows them.
func (c *Control) Package() (Package, error) {
	return ParsePackage(c.Stanza)
}
