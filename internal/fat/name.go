package fat

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
)

// perLongEntry is how many UTF-16 units of a long name one entry has.
const perLongEntry = 13

// checkName refuses what no entry can have.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(utf16.Encode([]rune(name))) > 255 || strings.HasSuffix(name, ".") || strings.HasSuffix(name, " ") {
		return fmt.Errorf("%q is no name in a FAT file system", name)
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f || strings.ContainsRune(`"*/:<>?\|`, c) {
			return fmt.Errorf("%q is no name in a FAT file system: it has %q", name, c)
		}
	}
	return nil
}

// shortName gives a name of 8 and 3 characters that is not taken yet, and
// whether the long one is to be kept beside it.
func shortName(name string, taken map[[11]byte]bool) (short [11]byte, long bool) {
	base, ext := name, ""
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		base, ext = name[:dot], name[dot+1:]
	}
	plainBase, plainExt := plain(base), plain(ext)
	if plainBase == base && plainExt == ext && len(base) <= 8 && len(ext) <= 3 {
		if short = [11]byte([]byte(padded(base, 8) + padded(ext, 3))); !taken[short] {
			return short, false
		}
	}
	plainExt = plainExt[:min(3, len(plainExt))]
	for n := 1; ; n++ {
		tail := "~" + strconv.Itoa(n)
		short = [11]byte([]byte(padded(plainBase[:min(8-len(tail), len(plainBase))]+tail, 8) + padded(plainExt, 3)))
		if !taken[short] {
			return short, true
		}
	}
}

// plain keeps what a short name can have of a name.
func plain(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z':
			return c - 'a' + 'A'
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.ContainsRune("!#$%&'()-@^_`{}~", c):
			return c
		case c == '.' || c == ' ':
			return -1
		}
		return '_'
	}, name)
}

func padded(text string, length int) string {
	return text + strings.Repeat(" ", length-len(text))
}

func (n *node) longEntries() int {
	if !n.long {
		return 0
	}
	return (len(utf16.Encode([]rune(n.name))) + perLongEntry - 1) / perLongEntry
}

// longName gives the entries that stand before the one with the short name: the
// last part of the name first.
func (n *node) longName() []byte {
	count := n.longEntries()
	units := utf16.Encode([]rune(n.name))
	if len(units)%perLongEntry != 0 {
		units = append(units, 0) // an end, and then nothing
	}
	for len(units) < count*perLongEntry {
		units = append(units, 0xffff)
	}
	var out []byte
	for part := count; part >= 1; part-- {
		b := make([]byte, entrySize)
		b[0] = byte(part)
		if part == count {
			b[0] |= 0x40
		}
		b[11] = 0x0f
		b[13] = checksum(n.short)
		for i, unit := range units[(part-1)*perLongEntry : part*perLongEntry] {
			binary.LittleEndian.PutUint16(b[longPlaces[i]:], unit)
		}
		out = append(out, b...)
	}
	return out
}

// longPlaces are where an entry has the units of a long name: between the fields
// that old programs read.
var longPlaces = [perLongEntry]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}

// checksum ties a long name to its short one.
func checksum(short [11]byte) byte {
	var sum byte
	for _, c := range short {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}
