package initrd

import (
	"embed"
	"errors"
	"io"

	"stet/internal/buildid"
)

// The program is made by `make build` before stet itself; it is not in git.
//
//go:embed all:bin
var programs embed.FS

const program = "bin/stet-init"

// Program is a stet-init.
type Program struct {
	ID   string                 // differs between any two
	Read func() ([]byte, error) // gives its content
}

// Init is the stet-init program that was built into this one. Its content, some
// megabytes, is read only by a build that makes an initrd.
func Init() (Program, error) {
	file, err := programs.Open(program)
	if err != nil {
		return Program{}, errors.New("stet-init is not built in: run make build")
	}
	defer file.Close()
	id, err := buildid.Read(file.(io.ReaderAt)) // which embed says its files are
	return Program{id, func() ([]byte, error) { return programs.ReadFile(program) }}, err
}
