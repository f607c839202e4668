package initrd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"stet/internal/debian"
)

// maxModule is more than any kernel module has, decompressed.
const maxModule = 64 << 20

// Spec is what an initrd is made of.
type Spec struct {
	Init    []byte   // the stet-init program, from [Init]
	Read    ReadFunc // the module directory of the kernel that will boot it
	Modules []Module // what to load, from [Modules]
}

// Image writes the initrd to w: /init, and below /modules the module files and
// "order": in load order a line for each, with the names of the file and of those
// that must be loaded before. Neither the archive nor the
// modules in it are compressed: it is small, and unpacking in the kernel is what
// a boot would wait for (a fifth of the time that loading the modules takes).
// The signature of a module is part of what was compressed, and stays valid.
func Image(w io.Writer, s Spec) error {
	if len(s.Init) == 0 {
		return errors.New("make the initrd: stet-init is empty")
	}
	files, err := Resolve(s.Read, s.Modules)
	if err != nil {
		return fmt.Errorf("make the initrd: %w", err)
	}
	buffered := bufio.NewWriterSize(w, 1<<16)
	archive := NewWriter(buffered)
	archive.Directory("dev", 0o755)
	archive.Directory("modules", 0o755)
	var order strings.Builder
	for _, file := range files {
		name, content, err := readModule(s.Read, file.Path)
		if err != nil {
			return fmt.Errorf("make the initrd: read module %s: %w", file.Path, err)
		}
		if err := archive.File("modules/"+name, 0o644, content); err != nil {
			return fmt.Errorf("make the initrd: %w", err)
		}
		order.WriteString(name)
		for _, need := range file.Needs {
			order.WriteString(" " + uncompressed(need))
		}
		order.WriteByte('\n')
	}
	archive.File("modules/order", 0o644, []byte(order.String()))
	archive.File("init", 0o755, s.Init)
	if err := archive.Close(); err != nil {
		return fmt.Errorf("make the initrd: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("make the initrd: %w", err)
	}
	return nil
}

// readModule returns a module decompressed, and its name without the ending of
// the compression.
func readModule(read ReadFunc, file string) (name string, content []byte, err error) {
	content, err = read(file)
	if err != nil || strings.HasSuffix(file, ".ko") {
		return path.Base(file), content, err
	}
	r, err := debian.OpenCompressed(path.Base(file), bytes.NewReader(content), int64(len(content)), maxModule, 1)
	if err != nil {
		return "", nil, err
	}
	defer r.Close()
	if content, err = io.ReadAll(r); err != nil {
		return "", nil, err
	}
	return uncompressed(file), content, nil
}

// uncompressed is the name of a module file without the ending of its compression.
func uncompressed(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return name + ".ko"
}
