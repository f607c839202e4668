package example

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Names of the examples, the smallest first.
var Names = []string{"minimal", "hello"}

// Large are the examples that take too long for every change: they are locked
// and have goldens like the others, and are built by `make test-long`.
var Large = []string{"desktop-gnome", "desktop-kde", "server-large"}

// Fleets are examples of several machines. `make test-long` builds them, each
// machine to its golden.
var Fleets = []string{"fleet"}

// Root gives the top directory of this repository: the nearest parent of the
// working directory with a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod in the working directory or above it")
		}
		dir = parent
	}
}

// Store gives what STET_STORE is to be where tests run the program: what the
// environment says, else what the Makefile does, and never the store of whoever
// runs them.
func Store() (variable string, err error) {
	dir := os.Getenv("STET_STORE")
	if dir == "" {
		root, err := Root()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(root, ".cache", "store")
	}
	return "STET_STORE=" + dir, nil
}

// Stet gives the program that `make build` makes. STET_BINARY names another.
func Stet() (string, error) {
	name := os.Getenv("STET_BINARY")
	if name == "" {
		root, err := Root()
		if err != nil {
			return "", err
		}
		name = filepath.Join(root, "bin", "stet")
	}
	if _, err := os.Stat(name); err != nil {
		return "", fmt.Errorf("find the stet program: %w: run make build", err)
	}
	return name, nil
}

// Dir gives the directory of an example as it is committed.
func Dir(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, "examples", name), nil
}
