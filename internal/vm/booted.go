package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// BootTime is how long a machine may take to boot. An emulated one needs minutes
// on a busy host.
const BootTime = 10 * time.Minute

// Booted says where the state of a machine that has booted is kept.
type Booted struct {
	Place Place
	// System names what is on the disk, but for what is kept of it.
	System string
	// Base gives the disk. What of it cannot be had again later is in a directory, which
	// is filled if it is not there: from the same one comes the same disk. Without a
	// directory it has one for itself.
	Base func(ctx context.Context, dir string) (Base, error)
	// Anew boots whatever is kept, and forgets it.
	Anew bool
}

// Beginning says where a VM began.
type Beginning struct {
	// Kept is when the state was kept in which the VM began; zero when it booted.
	Kept time.Time
	// Lost says why a state that was there was of no use, and Unkept why none is
	// there for the next; nil when there is nothing to say.
	Lost, Unkept error
}

// StartBooted is [Start] of a machine that has booted when it returns, or that
// begins where an earlier one of the same kind was when it had. Each begins in the
// same state, the one that made it, too, and none changes it. Whatever is wrong
// with a kept state, the machine boots instead.
func StartBooted(ctx context.Context, c Config, b Booted) (*VM, Beginning, error) {
	c, err := b.complete(ctx, c)
	if err != nil {
		return nil, Beginning{}, fmt.Errorf("start %s: %w", c.Name, err)
	}
	r := record{Format: keptFormat, System: b.System}
	if r.Identity, err = identify(ctx, c, b.System); err != nil {
		return nil, Beginning{}, fmt.Errorf("start %s: %w", c.Name, err)
	}
	var beginning Beginning
	if !b.Anew {
		vm, kept, err := b.resume(ctx, c, r.Identity)
		if !isOfState(err) || ctx.Err() != nil {
			return vm, Beginning{Kept: kept}, err
		}
		if !errors.Is(err, errNothingKept) {
			beginning.Lost = err
		}
	}
	vm, unkept, err := b.make(ctx, c, r)
	if err == nil && vm == nil {
		if vm, _, err = b.resume(ctx, c, r.Identity); isOfState(err) && ctx.Err() == nil {
			unkept = err
			vm, err = b.boot(ctx, c)
		}
	}
	beginning.Unkept = unkept
	return vm, beginning, err
}

// stateError is an error of a state that is kept: a boot does without it.
type stateError struct{ error }

func (e stateError) Unwrap() error { return e.error }

func isOfState(err error) bool { return errors.As(err, new(stateError)) }

// complete gives a configuration its defaults and its accelerator, and refuses
// what cannot be kept.
func (b Booted) complete(ctx context.Context, c Config) (Config, error) {
	if _, err := exec.LookPath(program); err != nil {
		return c, &MissingError{program}
	}
	if c.Firmware != nil || c.hasDisk() || len(c.MoreDisks) > 0 || !c.Clock.IsZero() || c.Interactive {
		return c, errors.New("only a machine with one disk, no firmware and the host's clock can begin in a kept state")
	}
	c, err := c.withDefaults()
	if err == nil && c.Accelerator == nil {
		var found Accelerator
		found, err = Probe(ctx, c.Kernel, c.Agent)
		c.Accelerator = &found
	}
	return c, err
}

// resume starts a VM from what is kept, and says when it was.
func (b Booted) resume(ctx context.Context, c Config, identity string) (*VM, time.Time, error) {
	kept, err := b.Place.open(identity, time.Now())
	if err != nil {
		return nil, time.Time{}, stateError{err}
	}
	if c.Base, err = b.Base(ctx, b.Place.file(keptDisk)); err != nil {
		kept.Close()
		return nil, time.Time{}, stateError{err}
	}
	if c.Base.Digest() != kept.record.Disk {
		return nil, time.Time{}, stateError{errors.Join(errors.New("its disk was another one"), c.Base.Close(), kept.Close())}
	}
	c.layers = 2
	vm, err := startFrom(ctx, c, kept, kept)
	if err != nil {
		kept.Close() // unless the VM has
		return nil, time.Time{}, err
	}
	return vm, kept.record.Booted, nil
}

// make boots a machine, keeps its state, and ends it: then there is no VM and no
// error. Where the state is not to be kept, or cannot be, the VM goes on; unkept
// says why it cannot.
func (b Booted) make(ctx context.Context, c Config, r record) (vm *VM, unkept, err error) {
	hold, unkept := b.Place.reserve()
	if unkept == nil && b.Anew {
		unkept = hold.Close()
	}
	if unkept != nil || b.Anew {
		vm, err = b.boot(ctx, c)
		return vm, unkept, err
	}
	if c.Base, err = b.Base(ctx, b.Place.file(keptDisk)); err != nil {
		hold.Close()
		return nil, nil, err
	}
	r.Disk = c.Base.Digest()
	vm, systemd, err := booted(ctx, c, hold)
	switch {
	case err != nil:
		hold.Close() // unless the VM has
		return nil, nil, err
	case systemd != "running" && systemd != "degraded":
		return vm, fmt.Errorf("systemd says that it is in %s", systemd), nil
	}
	if unkept = vm.put(ctx, b.Place, r); unkept != nil {
		return vm, unkept, nil
	}
	return nil, nil, vm.Close()
}

// boot boots a machine that has to do with no place.
func (b Booted) boot(ctx context.Context, c Config) (vm *VM, err error) {
	if c.Base, err = b.Base(ctx, ""); err != nil {
		return nil, err
	}
	vm, _, err = booted(ctx, c, nil)
	return vm, err
}

// booted starts a VM and waits until it has booted. The VM closes hold at its end.
func booted(ctx context.Context, c Config, hold io.Closer) (vm *VM, systemd string, err error) {
	if vm, err = startFrom(ctx, c, nil, hold); err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, BootTime)
	defer cancel()
	if systemd, err = vm.WaitBooted(ctx); err != nil {
		return nil, "", errors.Join(err, vm.Close())
	}
	return vm, systemd, nil
}

// identify names everything that a kept state depends on, beside what the disk
// holds: what QEMU is and is told, and what the guest finds.
func identify(ctx context.Context, c Config, system string) (string, error) {
	version, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", program, err)
	}
	c.Disk = "disk"
	inRunDirectory := func(name string) string { return name }
	parts := []any{
		keptFormat, system, string(version), arguments(c, *c.Accelerator, inRunDirectory, nil),
		c.Initrd, c.Archives, sha256.Sum256(c.Agent),
	}
	if c.Accelerator.KVM {
		host, err := processor()
		if err != nil {
			return "", err
		}
		parts = append(parts, host)
	}
	text, err := json.Marshal(parts)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// processor tells the host's, with all that it can do, and the kernel, which
// decides what of that a guest gets.
func processor() (string, error) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "", err
	}
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return "", err
	}
	parts := []string{unix.ByteSliceToString(kernel.Release[:])}
	first, _, _ := strings.Cut(string(text), "\n\n")
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(name) {
		case "vendor_id", "cpu family", "model", "model name", "stepping", "microcode", "flags":
			parts = append(parts, strings.TrimSpace(value))
		}
	}
	return strings.Join(parts, "\n"), nil
}
