package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// modulesDirectory has the kernel modules of the initrd and their load order.
const modulesDirectory = "/modules"

// startLoadingModules loads them beside the other steps: the disk's driver is the
// first, and the store can be mounted while the others are unpacked.
func (m *machine) startLoadingModules() error {
	m.modules = make(chan error, 1)
	go func() { m.modules <- loadModules(modulesDirectory) }()
	return nil
}

func (m *machine) finishLoadingModules() error {
	defer m.lap("modules")
	return <-m.modules
}

// loadModules loads the files that directory/order names, one a line.
func loadModules(directory string) error {
	const again = "The initrd does not fit its kernel. Choose another entry in the boot menu, and build this one again."
	order, err := os.ReadFile(filepath.Join(directory, "order"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // all is built into the kernel
	}
	if err != nil {
		return remedy{err, again}
	}
	for name := range strings.Lines(string(order)) {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if err := loadModule(filepath.Join(directory, name)); err != nil {
			return remedy{fmt.Errorf("load the kernel module %s: %w", name, err), again}
		}
	}
	return nil
}

// loadModule hands a module file to finit_module(2); the kernel unpacks it
// (CONFIG_MODULE_DECOMPRESS).
func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	flags := 0
	if !strings.HasSuffix(path, ".ko") {
		flags = unix.MODULE_INIT_COMPRESSED_FILE
	}
	err = unix.FinitModule(int(file.Fd()), "", flags)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}
