package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"stet/internal/gpt"
	"stet/internal/mount"
	"stet/internal/plainjson"
)

// storePlace is where a person looks at the store.
const storePlace = "/store"

// maxShown is how much of a file is shown.
const maxShown = 1 << 20

func (p *prompt) listDisks([]string) error {
	p.loadDrivers()
	all := p.m.disks.list()
	partitions := p.m.disks.partitions(all)
	if len(all) == 0 {
		fmt.Fprintln(p.out, "There is no disk, or no driver for it.")
	}
	for _, one := range all {
		fmt.Fprintln(p.out, one.describe())
		for _, part := range partitions {
			if part.disk == one {
				fmt.Fprintf(p.out, "  %s  %s, %.1f GB, %s, %s\n", part.device, typeName(part.Type), float64(part.Size)/1e9, strconv.Quote(part.Name), part.ID)
			}
		}
	}
	return nil
}

// loadDrivers loads the drivers that a search for the store stopped before.
func (p *prompt) loadDrivers() {
	if p.m.modules == nil {
		if err := p.m.startLoadingModules(); err != nil {
			fmt.Fprintln(p.out, err)
			return
		}
	}
	for {
		name, err := p.m.modules.loadNext(p.m.disks.sys, "device")
		if err != nil {
			fmt.Fprintln(p.out, err)
		}
		if name == "" {
			return
		}
	}
}

func typeName(t gpt.GUID) string {
	switch t {
	case gpt.ESP:
		return "EFI system partition"
	case gpt.Swap:
		return "swap"
	case gpt.Store:
		return "store"
	}
	return "type " + t.String()
}

// mount mounts what a person wants to look at.
func (p *prompt) mount(words []string) error {
	if err := mount.Detach(storePlace); err != nil {
		return err
	}
	if err := os.MkdirAll(storePlace, 0o700); err != nil {
		return err
	}
	if len(words) == 1 {
		return p.m.mountReadOnly(words[0])
	}
	if p.m.store.device == "" {
		p.loadDrivers()
		if err := p.m.findStore(); err != nil {
			return err
		}
	}
	return p.m.mountReadOnly(p.m.store.device)
}

// mountReadOnly mounts a device on storePlace. One that is mounted for writing
// already cannot be mounted otherwise a second time, so the mount alone is
// read-only then.
func (m *machine) mountReadOnly(device string) error {
	if m.modules != nil {
		if err := m.essential(); err != nil {
			return err
		}
	}
	err := mount.Device(device, storePlace, storeFileSystem, unix.MS_RDONLY|unix.MS_NODEV|unix.MS_NOSUID, "")
	if errors.Is(err, unix.EBUSY) {
		if err = mount.Bind(m.at("stet"), storePlace); err == nil {
			err = mount.RemountReadOnly(storePlace)
		}
	}
	return err
}

// look gives the directory of the store, mounted to be read.
func (p *prompt) look() (string, error) {
	if _, err := os.Stat(filepath.Join(storePlace, "systems")); err == nil {
		return storePlace, nil
	}
	return storePlace, p.mount(nil)
}

// A choice is what can be started.
type choice struct {
	generation   int
	system       string
	date, origin string
	subject      string
	marks        []string
}

// read takes what the record of a generation says.
func (c *choice) read(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	record, err := plainjson.Read(text)
	if err != nil {
		return err
	}
	for _, member := range []struct {
		name string
		to   *string
	}{{"system", &c.system}, {"date", &c.date}, {"origin", &c.origin}, {"subject", &c.subject}} {
		if *member.to, err = record.String(member.name); err != nil {
			return err
		}
	}
	return nil
}

// choices lists what a store can start: its generations, and systems that none
// of them has.
func choices(store string) ([]choice, error) {
	systems, err := os.ReadDir(filepath.Join(store, "systems"))
	if err != nil {
		return nil, err
	}
	alone := map[string]bool{}
	for _, entry := range systems {
		alone[entry.Name()] = isDigest(entry.Name())
	}
	var all []choice
	directories, err := os.ReadDir(filepath.Join(store, "generations"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range directories {
		number, err := strconv.Atoi(entry.Name())
		if err != nil || number < 1 {
			continue
		}
		directory := filepath.Join(store, "generations", entry.Name())
		c := choice{generation: number}
		if c.read(filepath.Join(directory, "record.json")) != nil || !isDigest(c.system) {
			continue // a damaged one starts nothing
		}
		for _, mark := range []string{"good", "failed", "pinned"} {
			if _, err := os.Stat(filepath.Join(directory, mark)); err == nil {
				c.marks = append(c.marks, mark)
			}
		}
		alone[c.system] = false
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b choice) int { return a.generation - b.generation })
	for _, entry := range systems { // sorted
		if alone[entry.Name()] {
			all = append(all, choice{system: entry.Name()})
		}
	}
	return all, nil
}

func (p *prompt) listGenerations([]string) error {
	store, err := p.look()
	if err != nil {
		return err
	}
	all, err := choices(store)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(p.out, "The store has nothing to start.")
	}
	for _, c := range all {
		number := "-"
		if c.generation > 0 {
			number = strconv.Itoa(c.generation)
		}
		fmt.Fprintf(p.out, "%5s  %s\n", number, strings.Join(strings.Fields(fmt.Sprintf("%s %s %s %s %q", short(c.system), c.date, c.origin, strings.Join(c.marks, " "), c.subject)), " "))
	}
	return nil
}

// boot starts what a person chose.
func (p *prompt) boot(words []string) error {
	store, err := p.look()
	if err != nil {
		return err
	}
	all, err := choices(store)
	if err != nil {
		return err
	}
	chosen := named(all, words[0])
	if len(chosen) != 1 {
		return fmt.Errorf("%q names %d of what there is: say generations", words[0], len(chosen))
	}
	if err := p.checkKernel(store, chosen[0].system); err != nil {
		fmt.Fprintln(p.out, err)
	}
	return errLeave{p.start(chosen[0].system, chosen[0].generation)}
}

// named gives the generation of a number, or else what has a digest that
// begins so.
func named(all []choice, word string) []choice {
	number, err := strconv.Atoi(word)
	var byNumber, byDigest []choice
	for _, c := range all {
		if err == nil && number > 0 && c.generation == number {
			byNumber = append(byNumber, c)
		}
		if strings.HasPrefix(c.system, word) && !slices.ContainsFunc(byDigest, func(other choice) bool { return other.system == c.system }) {
			byDigest = append(byDigest, c)
		}
	}
	if len(byNumber) > 0 {
		return byNumber
	}
	return byDigest
}

// checkKernel says when a system was made for another kernel than runs.
func (p *prompt) checkKernel(store, system string) error {
	text, err := os.ReadFile(filepath.Join(store, "systems", system))
	if err != nil {
		return nil // starting it will say so
	}
	manifest, err := plainjson.Read(text)
	if err != nil {
		return nil
	}
	version, err := manifest.String("kernel_version")
	var name unix.Utsname
	if err != nil || unix.Uname(&name) != nil {
		return nil
	}
	if runs := unix.ByteSliceToString(name.Release[:]); runs != version {
		return fmt.Errorf("the system has kernel %s, and %s runs: it lacks drivers for this one; the boot menu starts it with its own", version, runs)
	}
	return nil
}

func (p *prompt) ls(words []string) error {
	directory := storePlace
	if len(words) > 0 {
		directory = words[0]
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			fmt.Fprintln(p.out, err)
			continue
		}
		name := entry.Name()
		if target, err := os.Readlink(filepath.Join(directory, name)); err == nil {
			name += " -> " + target
		}
		fmt.Fprintf(p.out, "%s %12d  %s  %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format("2006-01-02 15:04"), printable(name))
	}
	return nil
}

func (p *prompt) cat(words []string) error {
	info, err := os.Stat(words[0])
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a directory: say ls", words[0])
	}
	file, err := os.OpenFile(words[0], os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxShown))
	text := printable(string(content))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	fmt.Fprint(p.out, text)
	if len(content) == maxShown {
		fmt.Fprintf(p.out, "… there is more than %d bytes\n", maxShown)
	}
	return err
}

// printable replaces what would change how a terminal behaves.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && !strconv.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

func (p *prompt) dmesg([]string) error {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("read the kernel's messages: %w", err)
	}
	defer unix.Close(fd)
	record := make([]byte, 8192)
	for {
		n, err := unix.Read(fd, record)
		if errors.Is(err, unix.EPIPE) { // the oldest ones were overwritten meanwhile
			continue
		}
		if err != nil || n <= 0 {
			return nil
		}
		fmt.Fprintln(p.out, kernelMessage(string(record[:n])))
	}
}

// kernelMessage makes a line of a record of /dev/kmsg, "level,number,microseconds,flags;text".
func kernelMessage(record string) string {
	head, text, _ := strings.Cut(record, ";")
	text, _, _ = strings.Cut(text, "\n")
	fields := strings.Split(head, ",")
	if len(fields) < 3 {
		return printable(text)
	}
	micros, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return printable(text)
	}
	return fmt.Sprintf("[%5d.%06d] %s", micros/1e6, micros%1e6, printable(text))
}
