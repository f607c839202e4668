package initrd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// ReadFunc reads a file of the kernel's module directory, /usr/lib/modules/VERSION.
// Names are relative to it. A missing file is an error that is fs.ErrNotExist.
type ReadFunc func(name string) ([]byte, error)

// A File is one of a module. Names are relative to the module directory, as in
// modules.dep.
type File struct {
	Path   string
	Needs  []string // what must be loaded before
	Packed bool     // all that want it leave it compressed
}

// Resolve returns the files of the wanted modules and of all they depend on,
// each after those that it needs.
func Resolve(read ReadFunc, wanted []Module) ([]File, error) {
	dep, err := read("modules.dep")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the kernel's modules.dep is missing: was its package configured (depmod)?")
	}
	if err != nil {
		return nil, fmt.Errorf("read modules.dep: %w", err)
	}
	dependencies, err := ParseDependencies(dep)
	if err != nil {
		return nil, err
	}
	list, err := read("modules.builtin")
	if err != nil {
		return nil, fmt.Errorf("read modules.builtin: %w", err)
	}
	builtin := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		builtin[moduleName(strings.TrimSpace(line))] = true
	}

	files := map[string]string{}
	for file := range dependencies {
		// Two files of one name (updates/ and kernel/) must not depend on map order.
		if have, ok := files[moduleName(file)]; !ok || file < have {
			files[moduleName(file)] = file
		}
	}
	var order []string
	plain := map[string]bool{}
	for _, module := range wanted {
		file, ok := files[module.Name]
		switch {
		case ok:
			order = dependencies.load(order, file)
			if !module.Packed {
				plain[file] = true
				for _, need := range dependencies[file] {
					plain[need] = true
				}
			}
		case builtin[module.Name] || module.Optional:
		default:
			return nil, fmt.Errorf("this kernel has no module %s, which the initrd needs (%s)", module.Name, module.Why)
		}
	}
	soft, err := readSoft(read)
	if err != nil {
		return nil, err
	}
	var resolved []File
	for i, file := range order {
		// Of modules that name each other, the later one waits.
		needs := slices.DeleteFunc(slices.Clone(order[:i]), func(earlier string) bool {
			return !slices.Contains(dependencies[file], earlier) && !soft.before(moduleName(earlier), moduleName(file))
		})
		resolved = append(resolved, File{file, needs, !plain[file]})
	}
	return resolved, nil
}

// soft knows which modules ask for others by name when they start: libcrc32c
// for crc32c, which several modules can be. Nothing answers in an initrd, so
// those that are wanted come first.
type soft struct {
	pre     map[string][]string // module to what it asks for
	aliases map[string][]string
}

// readSoft reads modules.softdep and modules.alias.
func readSoft(read ReadFunc) (soft, error) {
	s := soft{pre: map[string][]string{}}
	text, err := read("modules.alias")
	if err == nil {
		s.aliases, err = ParseAliases(text)
	}
	if err != nil {
		return s, fmt.Errorf("read modules.alias: %w", err)
	}
	text, err = read("modules.softdep")
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read modules.softdep: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "softdep" {
			continue
		}
		before := false
		for _, word := range words[2:] {
			if strings.HasSuffix(word, ":") {
				before = word == "pre:"
			} else if before {
				s.pre[words[1]] = append(s.pre[words[1]], word)
			}
		}
	}
	return s, nil
}

// before reports whether a module is what another one asks for.
func (s soft) before(earlier, module string) bool {
	return slices.ContainsFunc(s.pre[module], func(name string) bool {
		return strings.ReplaceAll(name, "-", "_") == earlier || slices.Contains(s.aliases[earlier], name)
	})
}

// ParseAliases reads modules.alias, in which depmod gathers what all modules say
// of the devices that they drive: module name → patterns of MODALIAS, in their
// order.
func ParseAliases(text []byte) (map[string][]string, error) {
	aliases := map[string][]string{}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(fields) != 3 || fields[0] != "alias" {
			return nil, fmt.Errorf("modules.alias:%d: want: alias PATTERN MODULE", number)
		}
		aliases[fields[2]] = append(aliases[fields[2]], fields[1])
	}
	return aliases, nil
}

// Dependencies are the lines of a modules.dep: module file → the files it
// depends on, directly or not.
type Dependencies map[string][]string

// ParseDependencies reads modules.dep(5). depmod writes all dependencies of a
// module into its line, the ones to load first last.
func ParseDependencies(text []byte) (Dependencies, error) {
	dependencies := Dependencies{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		file, rest, ok := strings.Cut(line, ":")
		if !ok || !fs.ValidPath(file) || moduleName(file) == "" {
			return nil, fmt.Errorf("modules.dep:%d: no module file before a colon", number)
		}
		needs := strings.Fields(rest)
		for _, need := range needs {
			if !fs.ValidPath(need) || moduleName(need) == "" {
				return nil, fmt.Errorf("modules.dep:%d: %q is no module file", number, need)
			}
		}
		dependencies[file] = needs
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("modules.dep: %w", err)
	}
	return dependencies, nil
}

// load appends file, and before it what it depends on, to order, each only once.
func (d Dependencies) load(order []string, file string) []string {
	for _, need := range slices.Backward(d[file]) {
		if !slices.Contains(order, need) {
			order = append(order, need)
		}
	}
	if !slices.Contains(order, file) {
		order = append(order, file)
	}
	return order
}

// moduleName is the name of the module in a file: "virtio_blk" for
// "kernel/drivers/block/virtio-blk.ko.xz". Empty when it is no module file.
func moduleName(file string) string {
	name, _, ok := strings.Cut(path.Base(file), ".ko")
	if !ok {
		return ""
	}
	return strings.ReplaceAll(name, "-", "_")
}
