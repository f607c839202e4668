package vm

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
)

// Firmware is UEFI firmware, by which a guest boots from its disk as hardware
// does: its own boot loader, entries, kernel and initrd.
type Firmware struct {
	Code string // path of the firmware, which is not written
	Vars string // path of its variables as they are at first; each VM has a copy, which stays over boots
}

// OVMF gives the firmware that Debian's package ovmf has: without Secure Boot,
// with room for variables.
func OVMF() (Firmware, error) {
	f := Firmware{Code: "/usr/share/OVMF/OVMF_CODE_4M.fd", Vars: "/usr/share/OVMF/OVMF_VARS_4M.fd"}
	for _, name := range []string{f.Code, f.Vars} {
		if _, err := os.Stat(name); err != nil {
			return f, errors.New("no UEFI firmware for virtual machines is installed; install it with: apt-get install ovmf")
		}
	}
	return f, nil
}

// What a boot by firmware cannot bring in an initrd archive comes otherwise: units
// as system credentials in the SMBIOS tables (systemd.system-credentials(7)), words
// of the kernel's command line by those that systemd-boot adds to an entry
// (systemd-boot(7)), and the agent as a disk of its own.

// agentSerial is the serial number of the disk that is the agent's program.
const agentSerial = "stet-agent"

// copiedAgentUnit is [agentUnit] for an agent that is on a disk. udev has not
// named it yet. Of a unit's lines, systemd takes "$$" for "$".
const copiedAgentUnit = agentUnit + `ExecStartPre=/bin/sh -c 'mkdir -p /run/stet-vm; for disk in /sys/block/*; do \
	if [ "$$(cat $$disk/serial 2>/dev/null)" = ` + agentSerial + ` ]; then cat /dev/$${disk##*/} >/run/stet-vm/stet-agent; fi; done; \
	chmod 755 /run/stet-vm/stet-agent'
`

// credentials are the units and drop-ins that a guest gets.
func credentials(c Config) [][2]string {
	all := [][2]string{
		{"systemd.extra-unit.stet-agent.service", copiedAgentUnit},
		{"systemd.unit-dropin.sysinit.target", "[Unit]\nWants=stet-agent.service\n"},
	}
	if c.Interactive {
		serial := autologinSerial
		if isTerminalName(c.Terminal) {
			serial += "Environment=TERM=" + c.Terminal + "\n"
		}
		all = append(all,
			[2]string{"systemd.unit-dropin.serial-getty@ttyS0.service", serial},
			[2]string{"systemd.unit-dropin.getty@tty1.service", autologinScreen})
	}
	return all
}

// firmwareArguments boot from the disk. vars and agent are files that the driver
// made.
func firmwareArguments(c Config, a Accelerator, vars, agent string) []string {
	args := []string{
		"-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + quote(c.Firmware.Code),
		"-drive", "if=pflash,format=raw,unit=1,cache=unsafe,file=" + quote(vars),
		"-drive", "if=none,id=agent,format=raw,readonly=on,file=" + quote(agent),
		"-device", "virtio-blk-pci,drive=agent,serial=" + agentSerial,
	}
	if words := commandLine(c, a); words != "" {
		args = append(args, "-smbios", "type=11,value="+quote("io.systemd.boot.kernel-cmdline-extra="+words))
	}
	for _, credential := range credentials(c) {
		text := base64.StdEncoding.EncodeToString([]byte(credential[1]))
		args = append(args, "-smbios", "type=11,value="+quote("io.systemd.credential.binary:"+credential[0]+"="+text))
	}
	return args
}

// prepareFirmware makes the files that a boot by firmware has beside the disk.
func (vm *VM) prepareFirmware() error {
	if err := copyFile(vm.config.Firmware.Vars, vm.directory.file("vars")); err != nil {
		return fmt.Errorf("copy the firmware's variables: %w", err)
	}
	// A disk has whole sectors; what follows a program in its file does not matter.
	disk := append([]byte(nil), vm.config.Agent...)
	return os.WriteFile(vm.directory.file("agent"), append(disk, make([]byte, -len(disk)&511)...), 0o600)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
