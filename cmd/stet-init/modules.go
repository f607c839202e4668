package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// modulesDirectory has the kernel modules of the initrd and their load order.
const modulesDirectory = "/modules"

// startLoadingModules loads them beside the other steps: the disk's driver is the
// first, and the store can be mounted while the others are loaded.
func (m *machine) startLoadingModules() error {
	m.modules, m.loaded = make(chan error, 1), make(chan struct{}, 1)
	go func() {
		m.modules <- loadModules(modulesDirectory, func() {
			select {
			case m.loaded <- struct{}{}:
			default:
			}
		})
	}()
	return nil
}

func (m *machine) finishLoadingModules() error {
	defer m.lap("modules")
	return <-m.modules
}

// loadModules loads the files that directory/order names: a line for each, with
// those that must be loaded before. It works on as many at once as there are
// CPUs, and calls loaded after each.
func loadModules(directory string, loaded func()) error {
	order, err := os.ReadFile(filepath.Join(directory, "order"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // all is built into the kernel
	}
	if err != nil {
		return notForThisKernel(err)
	}
	var lines [][]string
	done := map[string]chan struct{}{}
	for line := range strings.Lines(string(order)) {
		names := strings.Fields(line)
		if len(names) == 0 {
			continue
		}
		for _, need := range names[1:] {
			if done[need] == nil { // whoever waits for it would wait for ever
				return notForThisKernel(fmt.Errorf("%s comes before %s, which it needs", names[0], need))
			}
		}
		if done[names[0]] != nil {
			return notForThisKernel(fmt.Errorf("%s is there twice", names[0]))
		}
		lines, done[names[0]] = append(lines, names), make(chan struct{})
	}
	// What a line needs was taken by a worker before it, so that none waits for
	// what nobody does.
	next := make(chan int, len(lines))
	for i := range lines {
		next <- i
	}
	close(next)
	failures := make([]error, len(lines))
	var workers sync.WaitGroup
	for range runtime.NumCPU() {
		workers.Go(func() {
			for i := range next {
				name := lines[i][0]
				for _, need := range lines[i][1:] {
					<-done[need]
				}
				if err := loadModule(filepath.Join(directory, name)); err != nil {
					failures[i] = fmt.Errorf("load the kernel module %s: %w", name, err)
				}
				close(done[name])
				loaded()
			}
		})
	}
	workers.Wait()
	if i := slices.IndexFunc(failures, func(err error) bool { return err != nil }); i >= 0 {
		return notForThisKernel(failures[i])
	}
	return nil
}

func notForThisKernel(err error) error {
	return remedy{err, "The initrd does not fit its kernel. Choose another entry in the boot menu, and build this one again."}
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
