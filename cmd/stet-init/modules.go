package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// modulesDirectory has the kernel modules of the initrd, and what to do with
// them.
const modulesDirectory = "/modules"

// modules are the kernel modules of the initrd. Each is loaded once, whoever
// asks for it, after those that it needs.
type modules struct {
	directory string
	needs     map[string][]string
	wanted    []wanted

	mu      sync.Mutex
	loading map[string]*loading
	tried   map[string]bool // those of devices
}

// A wanted module is a line of the file load: a condition, a file, and patterns
// of devices, which are looked at only when the condition is a device.
type wanted struct{ when, name, patterns string }

// loading is the state of one module. err is valid when done is closed.
type loading struct {
	done chan struct{}
	err  error
}

// readModules reads what there is to load. An initrd without modules has a
// kernel with everything built in.
func readModules(directory string) (*modules, error) {
	m := &modules{
		directory: directory, needs: map[string][]string{}, loading: map[string]*loading{}, tried: map[string]bool{},
	}
	order, err := os.ReadFile(filepath.Join(directory, "order"))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, notForThisKernel(err)
	}
	for line := range strings.Lines(string(order)) {
		names := strings.Fields(line)
		if len(names) == 0 {
			continue
		}
		for _, need := range names[1:] {
			if _, known := m.needs[need]; !known { // whoever waits for it could wait for ever
				return nil, notForThisKernel(fmt.Errorf("%s comes before %s, which it needs", names[0], need))
			}
		}
		if _, known := m.needs[names[0]]; known {
			return nil, notForThisKernel(fmt.Errorf("%s is there twice", names[0]))
		}
		m.needs[names[0]] = names[1:]
	}
	load, err := os.ReadFile(filepath.Join(directory, "load"))
	if err != nil {
		return nil, notForThisKernel(err)
	}
	for line := range strings.Lines(string(load)) {
		when, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, patterns, _ := strings.Cut(rest, " ")
		if _, known := m.needs[name]; !known {
			return nil, notForThisKernel(fmt.Errorf("it is not known what %q needs", name))
		}
		m.wanted = append(m.wanted, wanted{when, name, patterns})
	}
	return m, nil
}

// named lists the modules of a condition.
func (m *modules) named(when string) []string {
	var names []string
	for _, w := range m.wanted {
		if w.when == when {
			names = append(names, w.name)
		}
	}
	return names
}

// start begins to load a module, unless that was begun before.
func (m *modules) start(name string) *loading {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.loading[name]
	if l == nil {
		l = &loading{done: make(chan struct{})}
		m.loading[name] = l
		go func() {
			defer close(l.done)
			l.err = m.load(name)
		}()
	}
	return l
}

// wait waits for the end of what start began.
func (l *loading) wait() error {
	<-l.done
	return l.err
}

// load loads a module after what it needs. That one of those cannot be loaded
// is no matter when the module itself can.
func (m *modules) load(name string) error {
	var needs []*loading
	for _, need := range m.needs[name] {
		needs = append(needs, m.start(need))
	}
	for _, need := range needs {
		<-need.done
	}
	if err := loadModule(filepath.Join(m.directory, name)); err != nil {
		return fmt.Errorf("load the kernel module %s: %w", name, err)
	}
	return nil
}

// loadAll loads the modules of a condition.
func (m *modules) loadAll(when string) error {
	var all []*loading
	for _, name := range m.named(when) {
		all = append(all, m.start(name))
	}
	var failures []error
	for _, l := range all {
		failures = append(failures, l.wait())
	}
	return errors.Join(failures...)
}

// loadInTurn loads the modules of a condition one after the other: to check the signature
// of one keeps a processor busy, and the driver that the store waits for needs another.
func (m *modules) loadInTurn(when string) error {
	var failures []error
	for _, name := range m.named(when) {
		failures = append(failures, m.start(name).wait())
	}
	return errors.Join(failures...)
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

// startLoadingModules loads those that no boot can do without beside the other
// steps: the store can be looked for meanwhile.
func (m *machine) startLoadingModules() error {
	var err error
	if m.modules, err = readModules(modulesDirectory); err != nil {
		return err
	}
	m.essential = sync.OnceValue(func() error {
		if err := m.modules.loadInTurn("always"); err != nil {
			return notForThisKernel(err)
		}
		return nil
	})
	go m.essential()
	m.declared.Go(func() {
		if err := m.modules.loadAll("declared"); err != nil {
			m.problem("a module that the machine declares is not loaded: %v", err)
		}
	})
	return nil
}

func (m *machine) finishLoadingModules() error {
	defer m.lap("modules")
	m.declared.Wait()
	return m.essential()
}
