package initrd

import (
	"embed"
	"errors"
)

// The program is made by `make build` before stet itself; it is not in git.
//
//go:embed all:bin
var programs embed.FS

// Init returns the stet-init program that was built into this one.
func Init() ([]byte, error) {
	program, err := programs.ReadFile("bin/stet-init")
	if err != nil {
		return nil, errors.New("stet-init is not built in: run make build")
	}
	return program, nil
}
