package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// machineIDLength is the length of an id in machine-id(5), without its newline.
const machineIDLength = 32

// NewMachineID makes a machine-id(5) out of 16 random bytes, in the form of a
// version 4 UUID (RFC 9562) as systemd makes it.
func NewMachineID(random io.Reader) (string, error) {
	var id [machineIDLength / 2]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return "", fmt.Errorf("make a machine-id: %w", err)
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return hex.EncodeToString(id[:]), nil
}

// EnsureMachineID writes a machine-id into etc, the tree that will be /etc,
// unless a valid one is there. It reports whether it made one.
func EnsureMachineID(etc *os.Root, random io.Reader) (made bool, err error) {
	have, err := etc.ReadFile("machine-id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the machine-id: %w", err)
	}
	if isMachineID(have) {
		return false, nil
	}
	id, err := NewMachineID(random)
	if err != nil {
		return false, err
	}
	// Not over what is there: an id that nobody may write has mode 0444.
	if err := etc.RemoveAll("machine-id"); err != nil {
		return false, fmt.Errorf("replace the machine-id: %w", err)
	}
	if err := etc.WriteFile("machine-id", []byte(id+"\n"), 0o444); err != nil {
		return false, fmt.Errorf("write the machine-id: %w", err)
	}
	return true, nil
}

func isMachineID(text []byte) bool {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(text) != machineIDLength || len(bytes.Trim(text, "0")) == 0 {
		return false
	}
	_, err := hex.Decode(make([]byte, machineIDLength/2), text)
	return err == nil
}
