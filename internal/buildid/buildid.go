// Package buildid reads what the Go linker calls a program by.
package buildid

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// section has one ELF note, of the owner "Go" (cmd/internal/buildid in Go's sources).
const (
	section = ".note.go.buildid"
	owner   = "Go\x00\x00"
	header  = 12 // the lengths of owner and description, and the note's type
)

// Read gives the build ID of a program: two programs that differ have different
// ones, because its last part is a digest of the program's content, and it is read
// without reading that content. It is an error if there is none.
func Read(program io.ReaderAt) (string, error) {
	file, err := elf.NewFile(program)
	if err != nil {
		return "", fmt.Errorf("read the build ID of a program: %w", err)
	}
	note := file.Section(section)
	if note == nil {
		return "", errors.New("read the build ID of a program: it has none")
	}
	data, err := note.Data()
	if err != nil {
		return "", fmt.Errorf("read the build ID of a program: %w", err)
	}
	id, ok := description(data, file.ByteOrder)
	if !ok {
		return "", errors.New("read the build ID of a program: its note is none of Go's")
	}
	return id, nil
}

func description(note []byte, order binary.ByteOrder) (string, bool) {
	if len(note) < header+len(owner) || order.Uint32(note) != uint32(len(owner)) || string(note[header:header+len(owner)]) != owner {
		return "", false
	}
	id := note[header+len(owner):]
	size := order.Uint32(note[4:])
	if size == 0 || uint64(size) > uint64(len(id)) {
		return "", false
	}
	return string(id[:size]), true
}
