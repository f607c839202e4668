package buildid

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// build makes a program and gives its path.
func build(t *testing.T, source string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "program")
	args := append(append([]string{"build", "-trimpath", "-o", program}, flags...), file)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func read(t *testing.T, program string) (string, error) {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	return Read(bytes.NewReader(text))
}

// The build ID is the one that Go itself tells, differs when what the program does, or
// one variable that the linker sets, differs, and is the same in another directory.
func TestRead(t *testing.T) {
	const source = "package main\n\nvar word = \"a\"\n\nfunc main() { println(word) }\n"
	program := build(t, source)
	id, err := read(t, program)
	if err != nil {
		t.Fatal(err)
	}
	told, err := exec.Command("go", "tool", "buildid", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	if id != strings.TrimSpace(string(told)) {
		t.Errorf("it reads %q, and go says %q", id, told)
	}
	if again, err := read(t, build(t, source)); err != nil || again != id {
		t.Errorf("built again: %q, %v, not %q", again, err, id)
	}
	if other, err := read(t, build(t, source+"\nfunc init() { println() }\n")); err != nil || other == id {
		t.Errorf("another program: %q, %v", other, err)
	}
	if other, err := read(t, build(t, source, "-ldflags=-X main.word=b")); err != nil || other == id {
		t.Errorf("linked otherwise: %q, %v", other, err)
	}
	if none, err := read(t, build(t, source, "-ldflags=-buildid=")); err == nil {
		t.Errorf("without one: %q", none)
	}
	if none, err := Read(strings.NewReader("#!/bin/sh\n")); err == nil {
		t.Errorf("of a script: %q", none)
	}
}

func FuzzDescription(f *testing.F) {
	f.Add([]byte("\x04\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00Go\x00\x00id\x00\x00"))
	f.Add([]byte("\x04\x00\x00\x00\xff\xff\xff\xff\x04\x00\x00\x00Go\x00\x00id"))
	f.Fuzz(func(t *testing.T, note []byte) {
		if id, ok := description(note, binary.LittleEndian); ok != (id != "") {
			t.Errorf("%q, %v", id, ok)
		}
	})
}
