package facts

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"stet/internal/drift"
	"stet/internal/plan"
)

// ports finds out where the machine can be reached, and all who are there. Ports of
// UDP that programs get from the kernel, to ask something and wait for the answer,
// are none.
func (m Machine) ports(running plan.System, w *world, seen *drift.Seen) error {
	all, err := m.waiting()
	if err != nil {
		return err
	}
	first, err := m.ephemeral()
	if err != nil {
		return err
	}
	holders := map[string][]drift.Process{}
	for inode, s := range all {
		if s.Protocol != "udp" || s.Port < first {
			holders[inode] = nil
		}
	}
	if err := m.holders(running, w, holders); err != nil {
		return err
	}
	for inode, by := range holders {
		s := all[inode]
		seen.Sockets = append(seen.Sockets, drift.Socket{Protocol: s.Protocol, Address: s.Address.Unmap(), Port: s.Port, Holders: by})
	}
	slices.SortFunc(seen.Sockets, func(a, b drift.Socket) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), a.Address.Compare(b.Address))
	})
	return nil
}

// ephemeral is the first of the ports that the kernel gives to who asks for any
// (ip(7)).
func (m Machine) ephemeral() (uint16, error) {
	text, err := os.ReadFile(m.at("proc/sys/net/ipv4/ip_local_port_range"))
	if errors.Is(err, fs.ErrNotExist) {
		return 32768, nil
	}
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\t")
	port, err := strconv.ParseUint(first, 10, 16)
	return uint16(port), err
}
