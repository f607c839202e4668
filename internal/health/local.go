package health

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
)

// Local is the machine that this runs on.
type Local struct{}

// ActiveState implements [Host].
func (Local) ActiveState(ctx context.Context, unit string) (string, error) {
	out, err := systemctl(ctx, "show", "--property=ActiveState", "--value", "--", unit)
	return strings.TrimSpace(out), err
}

// FailedUnits implements [Host].
func (Local) FailedUnits(ctx context.Context) ([]string, error) {
	out, err := systemctl(ctx, "list-units", "--state=failed", "--plain", "--no-legend", "--full")
	if err != nil {
		return nil, err
	}
	var units []string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 {
			units = append(units, fields[0])
		}
	}
	return units, nil
}

func systemctl(ctx context.Context, args ...string) (string, error) {
	var stderr strings.Builder
	command := exec.CommandContext(ctx, "systemctl", args...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("ask systemd: %w: %s", ended(ctx, err), strings.TrimSpace(stderr.String()))
	}
	return string(out), nil
}

// longest is how much of a command's last line is part of a message.
const longest = 200

// Shell implements [Host]. The error has the last line that the command said.
func (Local) Shell(ctx context.Context, line string) error {
	command := exec.CommandContext(ctx, "/bin/sh", "-c", line)
	command.WaitDelay = pause // for what it left behind with its output
	out, err := command.CombinedOutput()
	if err == nil {
		return nil
	}
	said := strings.TrimSpace(string(out))
	said = said[strings.LastIndexByte(said, '\n')+1:]
	said = strings.ToValidUTF8(said[:min(len(said), longest)], "")
	if said == "" {
		return ended(ctx, err)
	}
	return fmt.Errorf("%w: %s", ended(ctx, err), said)
}

// ended says that a command was killed because the time was over.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Dial implements [Host]. A port that only one of the two loopback addresses
// has is open.
func (Local) Dial(ctx context.Context, port int) error {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		var onlyNew error
		if connection, onlyNew = dialer.DialContext(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port))); onlyNew != nil {
			return err
		}
	}
	return connection.Close()
}

// Connected implements [Host].
func (Local) Connected() ([]string, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list network interfaces: %w", err)
	}
	var connected []string
	for _, i := range all {
		addresses, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue // one that is just going away has no addresses any more
		}
		for _, a := range addresses {
			if network, ok := a.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
				connected = append(connected, i.Name)
				break
			}
		}
	}
	return connected, nil
}
