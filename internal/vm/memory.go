package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// What QEMU knows of a machine beside its disk, it writes to a file as if it sent
// it to another host, and reads it from there (QEMU's docs/devel/migration.rst).
// The machine stands still meanwhile: so each page is written once.

// memoryTime is how long QEMU may take to write or read a machine's memory.
const memoryTime = 3 * time.Minute

// saveMemory stops the machine and writes its memory and devices to a file. The
// machine stands still afterwards; it goes on when it could not be written.
func (vm *VM) saveMemory(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, memoryTime)
	defer cancel()
	m, err := vm.running()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	m.halted.Store(true)
	err = m.monitor.execute(ctx, "stop", nil, nil)
	if err == nil {
		err = m.writeMemory(ctx, file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write its memory: %w", err), m.goOn(context.WithoutCancel(ctx)))
	}
	return nil
}

// goOn lets a machine run again that was told to stand still.
func (m *machine) goOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, monitorTime)
	defer cancel()
	return m.monitor.execute(ctx, "cont", nil, nil)
}

func (m *machine) writeMemory(ctx context.Context, file *os.File) error {
	if err := m.monitor.give(ctx, "memory", file); err != nil {
		return err
	}
	// By itself QEMU leaves most of a network to others.
	if err := m.monitor.execute(ctx, "migrate-set-parameters", map[string]any{"max-bandwidth": int64(1) << 40}, nil); err != nil {
		return err
	}
	if err := m.monitor.execute(ctx, "migrate", map[string]any{"uri": "fd:memory"}, nil); err != nil {
		return err
	}
	for {
		var migration struct {
			Status string `json:"status"`
			Reason string `json:"error-desc"`
		}
		if err := m.monitor.execute(ctx, "query-migrate", nil, &migration); err != nil {
			return err
		}
		switch migration.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("QEMU %s: %s", migration.Status, migration.Reason)
		}
		if err := sleep(ctx, memoryPoll); err != nil {
			return err
		}
	}
}

// memoryPoll is how long a wait for QEMU sleeps between two questions, which cost
// the guest nothing.
const memoryPoll = 10 * time.Millisecond

// readMemory waits until QEMU has read the memory that it was started with.
func (m *machine) readMemory(ctx context.Context) error {
	if err := m.monitor.execute(ctx, "migrate-incoming", map[string]any{"uri": fmt.Sprintf("fd:%d", m.memoryFD)}, nil); err != nil {
		return err
	}
	for {
		var run struct {
			Status string `json:"status"`
		}
		if err := m.monitor.execute(ctx, "query-status", nil, &run); err != nil {
			return err
		}
		if run.Status != "inmigrate" {
			return nil
		}
		if err := sleep(ctx, memoryPoll); err != nil {
			return err
		}
	}
}
