package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
	"stet/internal/state"
)

// runDirectory comes with a second initrd archive, as `stet vm` appends one. Its
// content goes to /run: units, an agent. It changes nothing in the system.
const runDirectory = "/stet.run"

// fillRun puts into /run what programs find there from the start.
func (m *machine) fillRun() error {
	if err := copyTree(runDirectory, m.run); err != nil {
		m.problem("/run lacks what came with the initrd: %v", err)
	}
	if err := m.addUnits(lasting(), nil); err != nil {
		m.problem("a shutdown will not be clean: %v", err)
	}
	if m.store.disk != nil {
		if err := m.addUnits(beside(m.store.disk.table)); err != nil {
			m.problem("the ESP and swap are left alone: %v", err)
		}
	}
	// /usr/bin/stet is a symlink into this directory: the program is no part of
	// the system.
	if _, err := os.Stat(m.at("stet/bin/stet")); err == nil {
		if err := m.bindPrograms(); err != nil {
			m.problem("the command stet is missing: %v", err)
		}
	}
	m.lap("run")
	return nil
}

// addUnits adds unit files for systemd, and symlinks beside them.
func (m *machine) addUnits(units, links map[string]string) error {
	place := func(name string) (string, error) {
		file := filepath.Join(m.run, "systemd/system", name)
		return file, os.MkdirAll(filepath.Dir(file), 0o755)
	}
	for name, text := range units {
		file, err := place(name)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			return err
		}
	}
	for name, target := range links {
		file, err := place(name)
		if err == nil {
			err = os.Symlink(target, file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) bindPrograms() error {
	target := filepath.Join(m.run, "stet/bin")
	if err := os.Mkdir(target, 0o755); err != nil {
		return err
	}
	if err := mount.Bind(m.at("stet/bin"), target); err != nil {
		return err
	}
	return mount.RemountReadOnly(target)
}

// copyTree copies what is below from, when there is such a directory, into to.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if path == from && errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		switch info.Mode().Type() {
		case fs.ModeDir:
			err := os.Mkdir(target, info.Mode().Perm())
			if errors.Is(err, fs.ErrExist) {
				return nil
			}
			return err
		case fs.ModeSymlink:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case 0:
			return copyFile(path, target, info.Mode().Perm())
		}
		return fmt.Errorf("%s is neither file nor directory nor symlink", path)
	})
}

// mostAtOnce is more than sendfile(2) copies by one call, in bytes.
const mostAtOnce = 1 << 30

// copyFile has the kernel copy: reading and writing would copy everything twice.
func copyFile(from, to string, permissions fs.FileMode) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, permissions)
	if err != nil {
		return err
	}
	for {
		n, err := unix.Sendfile(int(target.Fd()), int(source.Fd()), nil, mostAtOnce)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n == 0 || err != nil {
			return errors.Join(err, target.Close())
		}
	}
}

// tell says in the kernel log how long it took until all is mounted.
func (m *machine) tell() error {
	var laps strings.Builder
	for _, l := range m.laps {
		fmt.Fprintf(&laps, " %s %d", l.name, l.at.Milliseconds())
	}
	log(levelInfo, fmt.Sprintf("system %s of %s is mounted after %.3f s (ms:%s)",
		short(m.commands.system), m.manifest.Machine, time.Since(m.start).Seconds(), laps.String()))
	return nil
}

// record writes what runs.
func (m *machine) record() error {
	boot := state.Boot{
		Machine:    m.manifest.Machine,
		System:     m.commands.system,
		Generation: m.commands.generation,
		Store:      m.store.device,
		Images:     m.manifest.Images,
		Upper:      m.upper,
		InitrdUsec: time.Since(m.start).Microseconds(),
		Problems:   m.problems,
	}
	return errors.Join(
		os.WriteFile(state.BootFile, boot.Bytes(), 0o644),
		os.WriteFile(state.SystemFile, []byte(m.commands.system+"\n"), 0o644),
	)
}
