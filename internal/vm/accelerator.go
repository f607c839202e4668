package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// program is the emulator. Debian has it in qemu-system-x86.
const program = "qemu-system-x86_64"

// MissingError says that a program is not installed, and how to get it.
type MissingError struct {
	Program string
}

func (e *MissingError) Error() string {
	return e.Program + " is not installed; install it with: apt-get install qemu-system-x86 qemu-utils"
}

// Accelerator is how QEMU runs the guest's instructions.
type Accelerator struct {
	// KVM is false where they are emulated (TCG), which takes about ten times
	// as long.
	KVM bool
	// Reason says in one line why KVM is not used; empty when it is.
	Reason string
}

func (a Accelerator) arguments() []string {
	if a.KVM {
		return []string{"-machine", "q35,accel=kvm", "-cpu", "host"}
	}
	// QEMU 7.2's cmpxchg16b makes Linux panic now and then under TCG. And a processor
	// that says it copies and clears bytes quickly (ERMS, FSRM) has Linux do so byte by
	// byte, which an emulator does slowest.
	return []string{"-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,-cx16,-erms,-fsrm"}
}

// probeTime is how long a guest may take to reach user space. Under KVM it
// takes a second; one that only pretends to work may hang for ever.
const probeTime = 10 * time.Second

// Probe finds out whether KVM truly runs a guest, by running one: the given
// kernel with the agent as its only program. That /dev/kvm can be opened does
// not say so: nested or emulated virtualisation often opens it, runs the
// firmware, and then stops at an instruction of the kernel. An agent of nil
// means the embedded one.
func Probe(ctx context.Context, kernel string, agent []byte) (Accelerator, error) {
	if _, err := exec.LookPath(program); err != nil {
		return Accelerator{}, &MissingError{program}
	}
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return emulated("this host has no /dev/kvm"), nil
	case errors.Is(err, os.ErrPermission):
		return emulated("no permission to open /dev/kvm; join the group kvm"), nil
	case err != nil:
		return emulated(err.Error()), nil
	}
	device.Close()
	if agent == nil {
		if agent, err = embeddedAgent(); err != nil {
			return Accelerator{}, err
		}
	}
	directory, err := os.MkdirTemp("", "stet-kvm-")
	if err != nil {
		return Accelerator{}, err
	}
	defer os.RemoveAll(directory)
	archive, err := probeArchive(agent)
	if err != nil {
		return Accelerator{}, err
	}
	initrd := filepath.Join(directory, "initrd")
	if err := os.WriteFile(initrd, archive, 0o600); err != nil {
		return Accelerator{}, err
	}
	failure := bootProbe(ctx, Accelerator{KVM: true}, kernel, initrd)
	if ctx.Err() != nil {
		return Accelerator{}, context.Cause(ctx)
	}
	if failure != "" {
		return emulated("/dev/kvm is there but runs no guest (" + failure + ")"), nil
	}
	return Accelerator{KVM: true}, nil
}

func emulated(reason string) Accelerator {
	return Accelerator{Reason: "KVM cannot be used: " + reason + "; emulating, which is slower"}
}

// bootProbe boots the probe's guest and says what went wrong, nothing when it
// reached user space.
func bootProbe(ctx context.Context, a Accelerator, kernel, initrd string) string {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	args := append([]string{"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"}, a.arguments()...)
	args = append(args, "-smp", "2", "-m", "256", "-serial", "stdio",
		"-kernel", kernel, "-initrd", initrd, "-append", "console=ttyS0 quiet panic=-1")
	said := &probeOutput{cancel: cancel}
	child, err := startChild(program, args, nil, said)
	if err != nil {
		return err.Error()
	}
	stop := context.AfterFunc(ctx, child.kill)
	defer stop()
	<-child.done
	switch {
	case said.reached():
		return ""
	case said.failure() != "":
		return said.failure()
	case ctx.Err() != nil:
		return fmt.Sprintf("it did not reach user space in %v", probeTime)
	}
	return "it stopped before it reached user space"
}

// probeOutput reads what QEMU and the guest say, and ends the probe as soon
// as either outcome is clear.
type probeOutput struct {
	mu     sync.Mutex
	text   []byte
	cancel context.CancelFunc
}

func (p *probeOutput) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.text) < 1<<20 {
		p.text = append(p.text, data...)
	}
	if bytes.Contains(p.text, []byte("stet-agent: user space reached")) || bytes.Contains(p.text, []byte("KVM internal error")) {
		p.cancel()
	}
	return len(data), nil
}

func (p *probeOutput) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Contains(p.text, []byte("stet-agent: user space reached"))
}

// failure gives the line by which QEMU says what went wrong.
func (p *probeOutput) failure() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(string(p.text)) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "KVM internal error") || strings.HasPrefix(line, program+":") {
			return strings.TrimPrefix(line, program+": ")
		}
	}
	return ""
}
