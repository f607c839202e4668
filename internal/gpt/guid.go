package gpt

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID is a UUID, in the order in which its text has the digits.
type GUID [16]byte

// String gives the text with lower-case digits, as /dev/disk/by-partuuid has it.
func (g GUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", g[0:4], g[4:6], g[6:8], g[8:10], g[10:16])
}

// IsZero reports whether g is all zeros: in a table, a partition that is not there.
func (g GUID) IsZero() bool { return g == GUID{} }

// ParseGUID reads a text of 36 characters; upper-case digits are the same.
func ParseGUID(text string) (GUID, error) {
	var g GUID
	plain := strings.ReplaceAll(text, "-", "")
	if len(text) != 36 || len(plain) != 32 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return g, fmt.Errorf("%q is no UUID", text)
	}
	if _, err := hex.Decode(g[:], []byte(plain)); err != nil {
		return GUID{}, fmt.Errorf("%q is no UUID", text)
	}
	return g, nil
}

// mixed gives the bytes as a table has them, where the first three parts of a
// GUID are little-endian numbers (UEFI specification, appendix A).
func (g GUID) mixed() [16]byte {
	m := g
	binary.LittleEndian.PutUint32(m[0:], binary.BigEndian.Uint32(g[0:]))
	binary.LittleEndian.PutUint16(m[4:], binary.BigEndian.Uint16(g[4:]))
	binary.LittleEndian.PutUint16(m[6:], binary.BigEndian.Uint16(g[6:]))
	return m
}

// fromMixed is the way back, which is the same.
func fromMixed(b []byte) GUID { return GUID(GUID(b).mixed()) }
