package health

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"

	"stet/internal/systemd"
)

// Local is the machine that this runs on.
type Local struct{ Systemd systemd.Manager }

// ActiveState implements [Host].
func (l Local) ActiveState(ctx context.Context, unit string) (string, error) {
	return l.Systemd.ActiveState(ctx, unit)
}

// FailedUnits implements [Host].
func (l Local) FailedUnits(ctx context.Context) ([]string, error) {
	units, err := l.Systemd.Failed(ctx)
	if err != nil {
		return nil, err
	}
	var failed []string
	for _, u := range units {
		if u.Active == "failed" {
			failed = append(failed, u.Name)
		}
	}
	return failed, nil
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
