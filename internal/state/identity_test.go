package state

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
)

func TestMachineIDHasTheFormOfAVersion4UUID(t *testing.T) {
	id, err := NewMachineID(bytes.NewReader(bytes.Repeat([]byte{0xff}, 16)))
	if want := "ffffffffffff4fffbfffffffffffffff"; err != nil || id != want {
		t.Errorf("%s, %v, want %s", id, err, want)
	}
	if _, err := NewMachineID(bytes.NewReader(nil)); err == nil {
		t.Error("made an id without randomness")
	}
}

func TestMachineIDIsMadeOnce(t *testing.T) {
	const valid = "0123456789abcdef0123456789abcdef"
	tests := []struct {
		name, have string
		made       bool
	}{
		{"valid", valid + "\n", false},
		{"valid without newline", valid, false},
		{"empty", "", true},
		{"uninitialized", "uninitialized\n", true},
		{"cut short by a crash", valid[:20], true},
		{"all zero", "00000000000000000000000000000000\n", true},
		{"not hexadecimal", "g123456789abcdef0123456789abcdef\n", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "machine-id")
			if err := os.WriteFile(file, []byte(test.have), 0o444); err != nil {
				t.Fatal(err)
			}
			etc := openRoot(t, dir)
			for _, want := range []bool{test.made, false} {
				made, err := EnsureMachineID(etc, rand.Reader)
				if err != nil || made != want {
					t.Errorf("made %v, %v, want %v", made, err, want)
				}
			}
			got, err := os.ReadFile(file)
			if err != nil || !isMachineID(got) || !test.made && string(got) != test.have {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func openRoot(t *testing.T, directory string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}
