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
	Init    []byte   // what becomes /init, from [Init]
	Read    ReadFunc // the module directory of the kernel that will boot it
	Modules []Module // what to load, from [Modules]

	Microcode Microcode
}

// Image writes the initrd to w: /init, and below /modules the module files, the
// order in which they can be loaded, and when to load which; docs/formats/state.md
// describes both. The archive is not compressed, nor are the modules that most
// boots load: unpacking in the kernel is what a boot would wait for (a fifth of
// the time that loading the modules takes). The signature of a module is part of
// what was compressed, and stays valid.
func Image(w io.Writer, s Spec) error {
	if err := s.write(w); err != nil {
		return fmt.Errorf("make the initrd: %w", err)
	}
	return nil
}

func (s Spec) write(w io.Writer) error {
	if len(s.Init) == 0 {
		return errors.New("stet-init is empty")
	}
	files, err := Resolve(s.Read, s.Modules)
	if err != nil {
		return err
	}
	names := map[string]string{} // of the module to that of its file in the initrd
	buffered := bufio.NewWriterSize(w, 1<<16)
	if !s.Microcode.isEmpty() {
		if err := s.Microcode.write(NewWriter(buffered)); err != nil {
			return err
		}
	}
	archive := NewWriter(buffered)
	archive.Directory("dev", 0o755)
	archive.Directory("modules", 0o755)
	var order strings.Builder
	for _, file := range files {
		name, content, err := readModule(s.Read, file)
		if err != nil {
			return fmt.Errorf("read module %s: %w", file.Path, err)
		}
		if err := archive.File("modules/"+name, 0o644, content); err != nil {
			return err
		}
		names[moduleName(file.Path)] = name
		order.WriteString(name)
		for _, need := range file.Needs {
			order.WriteString(" " + names[moduleName(need)])
		}
		order.WriteByte('\n')
	}
	load, err := s.load(names)
	if err != nil {
		return err
	}
	archive.File("modules/order", 0o644, []byte(order.String()))
	archive.File("modules/load", 0o644, load)
	archive.File("init", 0o755, s.Init)
	if err := archive.Close(); err != nil {
		return err
	}
	return buffered.Flush()
}

// load is the content of modules/load: for each wanted module that is a file,
// when to load it, and the patterns of the devices that it drives.
func (s Spec) load(names map[string]string) ([]byte, error) {
	text, err := s.Read("modules.alias")
	if err != nil {
		return nil, fmt.Errorf("read modules.alias: %w", err)
	}
	aliases, err := ParseAliases(text)
	if err != nil {
		return nil, err
	}
	var load bytes.Buffer
	for _, module := range s.Modules {
		name, ok := names[module.Name]
		if !ok {
			continue // built in, or not in this kernel
		}
		fmt.Fprintf(&load, "%s %s", module.When, name)
		if module.When == Device || module.When == Keyboard {
			for _, pattern := range aliases[module.Name] {
				if strings.Contains(pattern, ":") { // others are of no bus: block-major-8-*
					load.WriteString(" " + pattern)
				}
			}
		}
		load.WriteByte('\n')
	}
	return load.Bytes(), nil
}

// readModule returns a module, decompressed unless it is to stay packed, and its
// name in the initrd.
func readModule(read ReadFunc, file File) (name string, content []byte, err error) {
	content, err = read(file.Path)
	if err != nil || file.Packed || strings.HasSuffix(file.Path, ".ko") {
		return path.Base(file.Path), content, err
	}
	r, err := debian.OpenCompressed(path.Base(file.Path), bytes.NewReader(content), int64(len(content)), maxModule, 1)
	if err != nil {
		return "", nil, err
	}
	defer r.Close()
	if content, err = io.ReadAll(r); err != nil {
		return "", nil, err
	}
	name, _, _ = strings.Cut(path.Base(file.Path), ".ko")
	return name + ".ko", content, nil
}
