package facts

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"stet/internal/systemd"
)

// Socket is a place where the machine takes what comes over the network.
type Socket struct {
	Port     uint16     `json:"port"`
	Protocol string     `json:"protocol"` // tcp, udp
	Address  netip.Addr `json:"address"`
	PID      int        `json:"pid,omitempty"`     // of who has it; 0 when it is the kernel
	Unit     string     `json:"unit,omitempty"`    // of the system's manager
	Program  string     `json:"program,omitempty"` // path
}

// socketTables are the tables of proc_net(5) with the state of a socket that waits:
// LISTEN of TCP; of UDP one that is bound, and connected to nobody.
var socketTables = []struct{ file, protocol, state string }{
	{"tcp", "tcp", "0A"}, {"tcp6", "tcp", "0A"}, {"udp", "udp", "07"}, {"udp6", "udp", "07"},
}

// Listening gives the sockets of the machine's own network namespace that wait for
// others, by port. Of several processes that have one, such as a server and its
// workers, it names the first that is not PID 1, which opens sockets for others.
func (m Machine) Listening() ([]Socket, error) {
	found, err := m.waiting()
	if err != nil {
		return nil, err
	}
	if len(found) > 0 {
		if err := m.findHolders(found); err != nil {
			return nil, err
		}
	}
	var all []Socket
	for _, s := range found {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Socket) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), a.Address.Compare(b.Address), cmp.Compare(a.PID, b.PID))
	})
	return all, nil
}

// waiting gives those sockets by their inodes; who has them is not looked for.
func (m Machine) waiting() (map[string]*Socket, error) {
	found := map[string]*Socket{}
	for _, table := range socketTables {
		text, err := os.ReadFile(filepath.Join(m.proc(), "1/net", table.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue // without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("list sockets: %w", err)
		}
		sockets, err := parseSockets(string(text), table.protocol, table.state)
		if err != nil {
			return nil, fmt.Errorf("list sockets: %s: %w", table.file, err)
		}
		for inode, s := range sockets {
			found[inode] = &s
		}
	}
	return found, nil
}

// parseSockets reads one table: the sockets in a state, by inode.
func parseSockets(text, protocol, state string) (map[string]Socket, error) {
	all := map[string]Socket{}
	for number, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if number == 0 || len(fields) == 0 {
			continue
		}
		if len(fields) < 10 {
			return nil, fmt.Errorf("line %d has %d fields", number+1, len(fields))
		}
		if fields[3] != state {
			continue
		}
		address, port, err := parseEndpoint(fields[1])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number+1, err)
		}
		all[fields[9]] = Socket{Port: port, Protocol: protocol, Address: address}
	}
	return all, nil
}

// parseEndpoint reads an address, whose words of 32 bits are in the order of this
// machine, and a port.
func parseEndpoint(text string) (netip.Addr, uint16, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.Addr{}, 0, fmt.Errorf("%q is no address with a port", text)
	}
	for word := raw; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	address, _ := netip.AddrFromSlice(raw)
	return address, uint16(n), nil
}

// findHolders looks which process has each socket. One that ends meanwhile has none,
// and whoever is not root sees only its own.
func (m Machine) findHolders(sockets map[string]*Socket) error {
	entries, err := os.ReadDir(m.proc())
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if err := m.findHeld(pid, sockets); err != nil && !isGone(err) && !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("look for sockets of process %d: %w", pid, err)
		}
	}
	return nil
}

func (m Machine) findHeld(pid int, sockets map[string]*Socket) error {
	dir := filepath.Join(m.proc(), strconv.Itoa(pid))
	descriptors, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return err
	}
	for _, descriptor := range descriptors {
		target, err := os.Readlink(filepath.Join(dir, "fd", descriptor.Name()))
		if err != nil {
			continue // it was closed
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		s := sockets[strings.TrimSuffix(inode, "]")]
		if !ok || s == nil || s.PID > 1 && (pid == 1 || s.PID <= pid) {
			continue
		}
		cgroup, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil {
			return err
		}
		s.PID = pid
		s.Unit, _ = systemd.UnitOf(string(cgroup))
		program, _ := os.Readlink(filepath.Join(dir, "exe"))
		s.Program = strings.TrimSuffix(program, " (deleted)")
	}
	return nil
}
