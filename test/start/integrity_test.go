package start_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stet/internal/store"
	"stet/internal/tree"
	"stet/internal/verity"
	"stet/internal/vm"
	"stet/test/guest"
	"stet/test/program"
)

// TestOnlyWhatIsWholeStarts spoils a machine's disk in every way that there is,
// and lets a person at the console try one system after the other, until the one
// that is whole starts.
func TestOnlyWhatIsWholeStarts(t *testing.T) {
	stet := program.Example(t, "minimal")
	built := stet.Build(t)
	config := guest.Config(t, stet, built)
	s := spoil(t, stet, built, guest.DiskFile(t, config))
	config.Base, config.Disk = nil, s.disk
	config.CommandLine = strings.Replace(config.CommandLine, built.Digest, s.forged, 1)

	machine, err := vm.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		machine.Close()
		if lines := strings.Split(strings.TrimSpace(string(machine.SerialLog())), "\n"); t.Failed() {
			t.Logf("the console's last lines:\n%s", strings.Join(lines[max(0, len(lines)-60):], "\n"))
		}
	}()
	p := sitDown(t, machine)
	p.waits("the manifest of system "+s.forged[:12]+" is damaged", "Press Enter")
	p.types("", "stet>")
	p.types("disks", `vda (8.6 GB, serial number "stet-store"`, "stet>")
	p.types("generations", "1  "+built.Digest[:12], "-  "+s.unsealed[:12], "stet>")
	p.types("ls /store/systems", "-rw------- ", s.unsealed, "stet>")
	p.types("cat /store/format.json", `"version":1`, "stet>")
	p.types("dmesg", "Linux version", "stet>")
	for digest, what := range map[string]string{
		s.unsealed:  "is not sealed",
		s.exchanged: "is another one: its digest is",
		s.flipped:   "mount /usr: ",
		s.absent:    "the store has no usr image",
	} {
		p.types("boot "+digest[:16], what, "Press Enter")
		p.types("", "stet>")
	}
	p.types("boot 1", mounted+" ")

	m := &guest.Machine{VM: machine, Built: built}
	must(t, machine.WaitReady(t.Context()))
	if state := m.Booted(t); state != "running" {
		t.Errorf("the machine is %s\n%s", state, m.Run(t, "systemctl --failed --no-legend --plain"))
	}
	t.Run("damaged files are errors", func(t *testing.T) { s.areErrors(t, m) })
	t.Run("verify names them", func(t *testing.T) { s.areNamed(t, m) })
	t.Run("what arrives is sealed", func(t *testing.T) { arrivesSealed(t, m) })
	if problems := m.Run(t, "cat /run/stet/boot.json"); !strings.Contains(problems, "a person chose system "+built.Digest[:12]) {
		t.Errorf("the record of the boot is %s", problems)
	}
}

// TestACountedBootAsksNobody has panic= on its command line.
func TestACountedBootAsksNobody(t *testing.T) {
	stet := program.Example(t, "minimal")
	built := stet.Build(t)
	config := guest.Config(t, stet, built)
	config.CommandLine = strings.Replace(config.CommandLine, built.Digest, strings.Repeat("0", 64), 1) + " panic=1"
	machine, err := vm.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	log := waitFor(t, machine, "the machine restarts in 1 seconds.")
	if !strings.Contains(log, "the store has no system 000000000000") {
		t.Errorf("the console says\n%s", log)
	}
	deadline := time.Now().Add(console)
	for strings.Count(string(machine.SerialLog()), "the machine restarts") < 2 {
		if time.Sleep(100 * time.Millisecond); time.Now().After(deadline) {
			t.Fatalf("it did not restart\n%s", machine.SerialLog())
		}
	}
}

// A person sits at the console.
type person struct {
	t       *testing.T
	machine *vm.VM
	keys    *os.File
	heard   int // how much of the console was read
}

func sitDown(t *testing.T, machine *vm.VM) *person {
	in, keys, err := os.Pipe()
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = machine.Attach(ctx, in, io.Discard)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		in.Close()
		keys.Close()
	})
	return &person{t: t, machine: machine, keys: keys}
}

// types types a line and waits for what follows.
func (p *person) types(line string, what ...string) {
	p.t.Helper()
	_, err := p.keys.WriteString(line + "\n")
	must(p.t, err)
	p.waits(what...)
}

// waits waits until the console has said all of it, one after the other.
func (p *person) waits(what ...string) {
	p.t.Helper()
	deadline := time.Now().Add(console)
	for _, one := range what {
		for {
			log := string(p.machine.SerialLog())
			if at := strings.Index(log[p.heard:], one); at >= 0 {
				p.heard += at + len(one)
				break
			}
			if time.Now().After(deadline) {
				p.t.Fatalf("the console does not say %q, but\n%s", one, log[p.heard:])
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// spoilt is a disk on which things are wrong.
type spoilt struct {
	disk string

	// Systems whose manifest, or usr image, is not as it should be.
	forged, unsealed, exchanged, flipped, absent string

	// Paths below /usr/bin of a whole system whose objects are not.
	damaged, swapped, gone string
}

// damage changes a disk by debugfs(8), which knows nothing of a kernel that would
// refuse.
type damage struct {
	t        *testing.T
	dir      string
	commands bytes.Buffer
	files    int
}

// write replaces a file of the disk. A sealed one has that seal, whatever its
// content.
func (d *damage) write(name string, content []byte, seal *verity.Seal) {
	d.files++
	host := filepath.Join(d.dir, fmt.Sprint(d.files))
	must(d.t, os.WriteFile(host, content, 0o600))
	if seal != nil {
		_, metadata := seal.Metadata()
		file, err := os.OpenFile(host, os.O_WRONLY, 0)
		must(d.t, err)
		_, err = file.WriteAt(metadata, verity.MetadataOffset(int64(len(content))))
		must(d.t, err)
		must(d.t, file.Close())
	}
	d.say("rm /%s", name)
	d.say("cd /%s", filepath.Dir(name))
	d.say("write %s %s", host, filepath.Base(name))
	d.say("sif /%s mode 0100600", name)
	if seal != nil {
		d.say("sif /%s size %d", name, len(content))
		d.say("sif /%s flags 0x00180000", name)
	}
}

func (d *damage) say(format string, args ...any) { fmt.Fprintf(&d.commands, format+"\n", args...) }

func sealOf(content []byte) *verity.Seal {
	seal := verity.NewSeal()
	_, _ = seal.Write(content)
	return seal
}

// flip is a content with one other byte.
func flip(content []byte, at int) []byte {
	other := bytes.Clone(content)
	other[at] ^= 1
	return other
}

func spoil(t *testing.T, stet program.Program, built program.Built, disk string) *spoilt {
	t.Helper()
	s := &spoilt{disk: filepath.Join(t.TempDir(), "disk.raw"), damaged: "tac", swapped: "tsort", gone: "shuf"}
	st, err := store.Open(stet.Store(t))
	must(t, err)
	defer st.Close()
	d := &damage{t: t, dir: t.TempDir()}

	usr, err := os.ReadFile(built.Images["usr"])
	must(t, err)
	etc, err := os.ReadFile(built.Images["etc"])
	must(t, err)
	manifest := func(usrImage string) string {
		text, err := st.System(built.Digest)
		must(t, err)
		var m map[string]any
		must(t, json.Unmarshal(text, &m))
		images := maps.Clone(m["images"].(map[string]any))
		images["usr"], m["images"] = usrImage, images
		if text, err = json.Marshal(m); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		digest := hex.EncodeToString(sum[:])
		d.write("systems/"+digest, text, nil)
		return digest
	}

	s.forged = strings.Repeat("f", 64)
	text, err := st.System(built.Digest)
	must(t, err)
	d.write("systems/"+s.forged, text, nil)

	unsealed := append(bytes.Clone(usr), make([]byte, 4096)...)
	d.write("images/"+verity.Sum(unsealed).String(), unsealed, nil)
	s.unsealed = manifest(verity.Sum(unsealed).String())

	other := strings.Repeat("2", 64)
	d.write("images/"+other, etc, sealOf(etc))
	s.exchanged = manifest(other)

	padded := append(bytes.Clone(usr), make([]byte, 8192)...)
	d.write("images/"+verity.Sum(padded).String(), flip(padded, 1024), sealOf(padded)) // in the superblock
	s.flipped = manifest(verity.Sum(padded).String())

	s.absent = manifest(strings.Repeat("3", 64))

	tree, err := st.Tree(built.Trees["usr"])
	must(t, err)
	object := func(program string) (string, []byte) { return objectOf(t, st, tree, "/bin/"+program) }
	name, content := object(s.damaged)
	d.write(name, flip(content, len(content)/2), sealOf(content))
	name, _ = object(s.swapped)
	_, evil := object("true")
	d.write(name, evil, nil)
	name, _ = object(s.gone)
	d.say("rm /%s", name)

	if out, err := exec.Command("cp", "--sparse=always", disk, s.disk).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	commands := filepath.Join(d.dir, "commands")
	must(t, os.WriteFile(commands, d.commands.Bytes(), 0o600))
	if out, err := exec.Command("debugfs", "-w", "-f", commands, s.disk).CombinedOutput(); err != nil {
		t.Fatalf("debugfs: %v\n%s", err, out)
	}
	return s
}

func objectOf(t *testing.T, s *store.Store, usr *tree.Tree, path string) (name string, content []byte) {
	t.Helper()
	entry, ok := usr.Lookup(path)
	if !ok {
		t.Fatalf("there is no %s", path)
	}
	content, err := s.ReadObject(entry.Digest)
	must(t, err)
	digest := entry.Digest.String()
	return "objects/" + digest[:2] + "/" + digest[2:], content
}

func (s *spoilt) areErrors(t *testing.T, m *guest.Machine) {
	for program, want := range map[string]string{s.damaged: "Input/output error", s.swapped: "Input/output error", s.gone: "No such file"} {
		if output, status := m.Try(t, "cat /usr/bin/"+program+" >/dev/null"); status == 0 || !strings.Contains(output, want) {
			t.Errorf("reading %s: exit status %d\n%s", program, status, output)
		}
	}
	if output, status := m.Try(t, "/usr/bin/"+s.swapped+" </dev/null"); status == 0 {
		t.Errorf("a swapped program ran: %s", output)
	}
	m.Run(t, "dmesg | grep -q 'FILE CORRUPTED'")
}

func (s *spoilt) areNamed(t *testing.T, m *guest.Machine) {
	output, status := m.Try(t, "stet verify")
	if status != 3 {
		t.Errorf("stet verify: exit status %d", status)
	}
	for _, want := range []string{
		"/usr/bin/" + s.damaged + " of package coreutils, in generation 1",
		"/usr/bin/" + s.swapped + " of package coreutils, in generation 1",
		"/usr/bin/" + s.gone + " of package coreutils, in generation 1",
		"missing objects/", "damaged objects/", "damaged systems/" + s.forged, "missing images/" + strings.Repeat("3", 64),
		"damaged images/" + strings.Repeat("2", 64) + ": it is sealed with the digest", "unsealed images/",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("stet verify does not say %q, but\n%s", want, output)
		}
	}
	var report struct {
		OK       bool
		Seals    bool
		Findings []struct{ Problem, Kind, Name string }
	}
	output, status = m.Try(t, "stet --json verify --quick 2>/dev/null")
	if err := json.Unmarshal([]byte(output), &report); err != nil || status != 3 || report.OK || !report.Seals {
		t.Fatalf("stet verify --quick: %v, exit status %d\n%s", err, status, output)
	}
	// What was exchanged or is missing shows without reading; a block does not.
	if got, want := len(report.Findings), 6; got != want {
		t.Errorf("stet verify --quick finds %d, want %d\n%s", got, want, output)
	}
}

// arrivesSealed runs the store's own test where there is fs-verity.
func arrivesSealed(t *testing.T, m *guest.Machine) {
	binary := filepath.Join(t.TempDir(), "store.test")
	build := exec.Command("go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", binary, "stet/internal/store")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go test -c: %v\n%s", err, out)
	}
	file, err := os.Open(binary)
	must(t, err)
	defer file.Close()
	ctx, cancel := context.WithTimeout(t.Context(), console)
	defer cancel()
	must(t, m.WriteFile(ctx, "/root/store.test", 0o755, file))
	output := m.Run(t, "mkdir -p /stet/tmp && TMPDIR=/stet/tmp /root/store.test -test.v -test.run 'Sealed|PutNames'")
	if !strings.Contains(output, "--- PASS: TestContentsAreSealedOnArrival") {
		t.Errorf("the store's test says\n%s", output)
	}
}
