package vm

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"stet/internal/initrd"
)

// agentUnit starts the agent before anything that could fail. It has no
// default dependencies, so it survives "systemctl isolate"; it must then ask
// for its end at shutdown itself. Main process first, the rest killed: no
// command that somebody left running delays a shutdown.
const agentUnit = `[Unit]
Description=Stet's control channel into this virtual machine
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
IgnoreOnIsolate=yes
StartLimitIntervalSec=0

[Service]
ExecStart=/run/stet-vm/stet-agent
Restart=always
RestartSec=200ms
KillMode=mixed
TimeoutStopSec=5s
OOMPolicy=continue
`

// Drop-ins that log root in. The options are those of Debian's unit files.
const (
	autologinSerial = `[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noreset --noclear --keep-baud 115200,57600,38400,9600 - ${TERM}
`
	autologinScreen = `[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noreset --noclear - ${TERM}
`
)

// runArchive makes the second initrd archive: stet-init copies what is below
// /stet.run to /run, where systemd looks for units too. So the guest's system
// and its digest stay what they are.
func runArchive(c Config) ([]byte, error) {
	archive := newArchive()
	archive.file("stet.run/stet-vm/stet-agent", 0o755, string(c.Agent))
	const units = "stet.run/systemd/system/"
	archive.file(units+"stet-agent.service", 0o644, agentUnit)
	archive.symlink(units+"sysinit.target.wants/stet-agent.service", "../stet-agent.service")
	if c.Interactive {
		serial := autologinSerial
		if isTerminalName(c.Terminal) {
			serial += "Environment=TERM=" + c.Terminal + "\n"
		}
		archive.file(units+"serial-getty@ttyS0.service.d/stet-vm.conf", 0o644, serial)
		archive.file(units+"getty@tty1.service.d/stet-vm.conf", 0o644, autologinScreen)
	}
	return archive.bytes()
}

// isTerminalName keeps what comes from the host's environment from becoming
// more than one word of a unit file.
func isTerminalName(name string) bool {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-_.+", c)) {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// probeArchive is an initrd whose only program is the agent.
func probeArchive(agent []byte) ([]byte, error) {
	archive := newArchive()
	archive.file("init", 0o755, string(agent))
	return archive.bytes()
}

// writeInitrd puts the initrd and the archives behind one another; the kernel
// unpacks them in this order (Documentation/driver-api/early-userspace/buffer-format.rst).
func writeInitrd(target, first string, archives [][]byte) error {
	file, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	var size int64
	if first != "" {
		source, err := os.Open(first)
		if err != nil {
			return err
		}
		defer source.Close()
		if size, err = io.Copy(file, source); err != nil {
			return fmt.Errorf("copy %s: %w", first, err)
		}
	}
	for _, archive := range archives {
		// An archive begins at a multiple of four.
		padded := append(make([]byte, -size&3), archive...)
		if _, err := file.Write(padded); err != nil {
			return err
		}
		size += int64(len(padded))
	}
	return file.Close()
}

// archiveWriter makes parents as it goes and keeps the first error.
type archiveWriter struct {
	buffer bytes.Buffer
	cpio   *initrd.Writer
	made   map[string]bool
	err    error
}

func newArchive() *archiveWriter {
	w := &archiveWriter{made: map[string]bool{".": true}}
	w.cpio = initrd.NewWriter(&w.buffer)
	return w
}

func (w *archiveWriter) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *archiveWriter) parents(name string) {
	directory := path.Dir(name)
	if w.made[directory] {
		return
	}
	w.parents(directory)
	w.made[directory] = true
	w.keep(w.cpio.Directory(directory, 0o755))
}

func (w *archiveWriter) file(name string, permissions uint32, content string) {
	w.parents(name)
	w.keep(w.cpio.File(name, permissions, []byte(content)))
}

func (w *archiveWriter) symlink(name, target string) {
	w.parents(name)
	w.keep(w.cpio.Symlink(name, target))
}

func (w *archiveWriter) bytes() ([]byte, error) {
	w.keep(w.cpio.Close())
	if w.err != nil {
		return nil, fmt.Errorf("make the archive for the initrd: %w", w.err)
	}
	return w.buffer.Bytes(), nil
}
