package debian

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	arMagic      = "!<arch>\n"
	arHeaderSize = 60
	maxArMembers = 64 // a .deb has three
)

// arMember is one file inside an ar archive (deb(5), ar(5) in its common form).
type arMember struct {
	name   string
	offset int64 // of the content
	size   int64
}

// readAr lists the members of an ar archive and checks that every one of them
// lies inside it. It reads headers only.
func readAr(r io.ReaderAt, size int64) ([]arMember, error) {
	var header [arHeaderSize]byte
	if size < int64(len(arMagic)) {
		return nil, errors.New("too short for an ar archive")
	}
	if err := readFullAt(r, header[:len(arMagic)], 0); err != nil {
		return nil, err
	}
	if string(header[:len(arMagic)]) != arMagic {
		return nil, errors.New("not an ar archive")
	}
	var members []arMember
	for offset := int64(len(arMagic)); offset < size; {
		if size-offset < arHeaderSize {
			return nil, fmt.Errorf("truncated in the header of the member at byte %d", offset)
		}
		if err := readFullAt(r, header[:], offset); err != nil {
			return nil, err
		}
		m, err := parseArHeader(header[:])
		if err != nil {
			return nil, fmt.Errorf("member at byte %d: %w", offset, err)
		}
		m.offset = offset + arHeaderSize
		if m.size > size-m.offset {
			return nil, fmt.Errorf("member %s: truncated: %d bytes of %d are there", m.name, size-m.offset, m.size)
		}
		if len(members) == maxArMembers {
			return nil, fmt.Errorf("more than %d members", maxArMembers)
		}
		members = append(members, m)
		offset = m.offset + m.size + m.size&1 // members begin at even bytes
	}
	return members, nil
}

func parseArHeader(h []byte) (arMember, error) {
	name := strings.TrimRight(string(h[:16]), " ")
	name = strings.TrimSuffix(name, "/") // as GNU ar ends short names
	if string(h[58:60]) != "`\n" {
		return arMember{}, errors.New("its header has no end mark")
	}
	if name == "" || strings.IndexFunc(name, func(c rune) bool { return c <= ' ' || c >= 0x7f || c == '/' }) >= 0 {
		return arMember{}, fmt.Errorf("%q is not a member name", h[:16])
	}
	digits := string(bytes.TrimRight(h[48:58], " "))
	if digits == "" || !allDigits(digits) {
		return arMember{}, fmt.Errorf("member %s: %q is not a size", name, h[48:58])
	}
	// Ten digits always fit.
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return arMember{}, fmt.Errorf("member %s: %w", name, err)
	}
	return arMember{name: name, size: size}, nil
}

func readFullAt(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	if n == len(p) {
		return nil // ReadAt may say io.EOF with the last byte
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
