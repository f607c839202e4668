package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"stet/internal/vm"
)

// boots are the times of several machines, in seconds from the start of the
// initrd's program.
type boots struct {
	first   []float64 // to the end of the initrd, at a machine's first boot
	initrd  []float64 // the same at each later boot
	systemd []float64 // to systemd's own first time stamp, at each later boot
	login   []float64 // from the kernel's start to the prompt, at each later boot
}

// bootsEach is how often each machine boots: an emulated boot takes half as long again
// as the one before when the host happens to be slow, so that one is too few.
const bootsEach = 3

// bootTime is more than all emulated boots of a machine take.
const bootTime = 8 * time.Minute

// add boots a machine, reboots it, and asks it after each boot.
func (b *boots) add(ctx context.Context, config vm.Config) (err error) {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	machine, err := vm.Start(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	for boot := 1; boot <= bootsEach; boot++ {
		if boot > 1 {
			if err := machine.Reboot(ctx); err != nil {
				return err
			}
		}
		prompted, err := prompt(ctx, machine, boot)
		if err != nil {
			return err
		}
		answer, err := machine.Exec(ctx, vm.Shell(times))
		if err != nil {
			return fmt.Errorf("%w\n%s", err, tail(string(machine.SerialLog())))
		}
		since := time.Since(prompted).Seconds()
		initrd, systemd, up, err := bootTimes(string(answer.Stdout))
		if err != nil {
			return err
		}
		if boot == 1 {
			b.first = append(b.first, initrd)
		} else {
			b.initrd, b.systemd, b.login = append(b.initrd, initrd), append(b.systemd, systemd), append(b.login, up-since)
		}
	}
	return nil
}

// prompt waits until the serial console has asked who logs in as often as the machine
// was booted, and tells when it did.
func prompt(ctx context.Context, machine *vm.VM, boots int) (time.Time, error) {
	for {
		log := machine.SerialLog()
		if bytes.Count(log, []byte(" login: ")) >= boots {
			return time.Now(), nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("boot %d: nobody could log in: %w\n%s", boots, ctx.Err(), tail(string(log)))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// times is what a guest is asked for bootTimes. How long it is up comes last: until the
// answer is here.
const times = "dmesg; systemctl show --property=UserspaceTimestampMonotonic; sed 's/^/up /' /proc/uptime"

// What the kernel logs when it starts the initrd's program; what that says when all is
// mounted; when systemd began as PID 1 of the real
// root, in microseconds; and how long the machine is up. All count from the boot.
var (
	initrdBegins  = regexp.MustCompile(`(?m)^\[ *(\d+\.\d+)\] Run /init as init process`)
	initrdEnds    = regexp.MustCompile(`(?m)^\[ *(\d+\.\d+)\] (?:stet-init: system .* is mounted|bench: the initrd ends)`)
	systemdBegins = regexp.MustCompile(`(?m)^UserspaceTimestampMonotonic=(\d+)$`)
	isUp          = regexp.MustCompile(`(?m)^up (\d+\.\d+)`)
)

// bootTimes reads what a guest answered: the seconds from the beginning of the initrd to
// its end and to systemd, and those from the boot to the answer.
func bootTimes(answer string) (initrd, systemd, up float64, err error) {
	var at [4]float64
	for i, mark := range []*regexp.Regexp{initrdBegins, initrdEnds, systemdBegins, isUp} {
		found := mark.FindStringSubmatch(answer)
		if found == nil {
			return 0, 0, 0, fmt.Errorf("the guest does not say %q:\n%s", mark, tail(answer))
		}
		if at[i], err = strconv.ParseFloat(found[1], 64); err != nil {
			return 0, 0, 0, err
		}
	}
	return at[1] - at[0], at[2]/1e6 - at[0], at[3], nil
}
