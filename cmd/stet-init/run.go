package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stet/internal/mount"
	"stet/internal/state"
)

// runDirectory comes with a second initrd archive, as `stet vm` appends one. Its
// content goes to /run: units, an agent. It changes nothing in the system.
const runDirectory = "/stet.run"

// lasting has the units of mounts that systemd must not unmount while it stops
// units, as files below /run/systemd/system. Of /stet, overlays go on using the
// file system unseen, so that it would stay writable until the power goes, and
// its journal dirty; below the others, programs have files open until they are
// killed, and a person would see FAILED in red. systemd-shutdown, which comes
// after that, makes what is still mounted read-only, file system and all.
//
// /var has a whole unit: other units name it before systemd has seen it
// mounted, and then systemd reads no drop-ins for it.
var lasting = map[string]string{
	"stet.mount.d/stet.conf":            "[Unit]\nDefaultDependencies=no\n",
	"usr-lib-modules.mount.d/stet.conf": "[Unit]\nDefaultDependencies=no\n",
	"var.mount": "[Unit]\nDescription=/var, which is state\nDefaultDependencies=no\n\n" +
		"[Mount]\nWhat=/stet/state/var\nWhere=/var\nOptions=bind\n",
}

// fillRun puts into /run what programs find there from the start.
func (m *machine) fillRun() error {
	if err := copyTree(runDirectory, m.run); err != nil {
		m.problem("/run lacks what came with the initrd: %v", err)
	}
	for name, text := range lasting {
		file := filepath.Join(m.run, "systemd/system", name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o644)
		}
		if err != nil {
			m.problem("a shutdown will not be clean: %v", err)
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
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// record writes what runs, and says in the kernel log how long this took.
func (m *machine) record() error {
	took := time.Since(m.start)
	boot := state.Boot{
		Machine:    m.manifest.Machine,
		System:     m.commands.system,
		Images:     m.manifest.Images,
		Upper:      m.upper,
		InitrdUsec: took.Microseconds(),
		Problems:   m.problems,
	}
	text, err := boot.Bytes()
	if err != nil {
		return err
	}
	var laps strings.Builder
	for _, l := range m.laps {
		fmt.Fprintf(&laps, " %s %d", l.name, l.at.Milliseconds())
	}
	log(levelInfo, fmt.Sprintf("system %s of %s is mounted after %.3f s (ms:%s)", short(m.commands.system), m.manifest.Machine, took.Seconds(), laps.String()))
	return errors.Join(
		os.WriteFile(state.BootFile, text, 0o644),
		os.WriteFile(state.SystemFile, []byte(m.commands.system+"\n"), 0o644),
	)
}
