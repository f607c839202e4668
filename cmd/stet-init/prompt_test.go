package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mount/mounttest"
)

// talk says lines at a prompt and gives what a person reads, without the
// prompts.
func talk(t *testing.T, p *prompt, lines ...string) string {
	t.Helper()
	var out strings.Builder
	p.in, p.out = bufio.NewReader(strings.NewReader(strings.Join(lines, "\n")+"\n")), &out
	if err := p.run(); err == nil {
		t.Error("the prompt ended without a reason")
	}
	return strings.ReplaceAll(out.String(), "stet> ", "")
}

func newPrompt(t *testing.T, d *disks) *prompt {
	t.Helper()
	none, err := readModules(t.TempDir())
	must(t, err)
	return &prompt{m: &machine{disks: *d, modules: none, root: "/newroot", run: "/run"}}
}

func TestPromptSaysWhatItUnderstands(t *testing.T) {
	p := newPrompt(t, machineDisks(t))
	var ended []int
	p.end = func(command int) { ended = append(ended, command) }
	got := talk(t, p, "", "help", "format everything", "boot", "cat a b", "ls a b", "help me", "  ls   /no-such-place  ", "reboot", "poweroff")
	for _, want := range []string{
		"  boot NUMBER          start a generation", `there is no command "format": say help`, "say: boot NUMBER",
		"say: cat PATH", "say: ls [PATH]", "say: help", "open /no-such-place: no such file",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it says\n%s\nwithout %q", got, want)
		}
	}
	for _, c := range commands() {
		if !strings.Contains(got, c.does) {
			t.Errorf("help does not tell what %s does", c.name)
		}
	}
	if len(ended) != 2 || ended[0] != unix.LINUX_REBOOT_CMD_RESTART || ended[1] != unix.LINUX_REBOOT_CMD_POWER_OFF {
		t.Errorf("it ended the machine by %v", ended)
	}
}

func TestPromptShowsDisks(t *testing.T) {
	p := newPrompt(t, machineDisks(t, "sda esp swap stet", `vda "data"`))
	got := talk(t, p, "disks")
	for _, want := range []string{
		"sda (0.0 GB, 3 partitions)\n", "sda1  EFI system partition, 0.0 GB, \"esp\", 00000000-0000-0000-0000-000000000011\n",
		"sda3  store, ", `vda (0.0 GB, serial number "data", no partition table)`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it says\n%s\nwithout %q", got, want)
		}
	}
	if got := talk(t, newPrompt(t, machineDisks(t)), "disks"); !strings.Contains(got, "There is no disk") {
		t.Errorf("without disks: %s", got)
	}
}

func TestPromptShowsFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "text"), "one\ntwo")
	write(t, filepath.Join(dir, "evil"), "\x1b[2Jx\x00é")
	write(t, filepath.Join(dir, "large"), strings.Repeat("x", maxShown+1))
	must(t, os.Symlink("text", filepath.Join(dir, "link")))
	must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	p := newPrompt(t, machineDisks(t))
	got := talk(t, p, "ls "+dir, "cat "+dir+"/text", "cat "+dir+"/evil", "cat "+dir, "cat "+dir+"/fifo")
	for _, want := range []string{"link -> text\n", "one\ntwo\n", "?[2Jx?é\n", "is a directory: say ls", "-rw-r--r--            7 "} {
		if !strings.Contains(got, want) {
			t.Errorf("it says\n%s\nwithout %q", got, want)
		}
	}
	if got := talk(t, p, "cat "+dir+"/large"); len(got) > maxShown+100 || !strings.Contains(got, "there is more than") {
		t.Errorf("of a large file it shows %d bytes", len(got))
	}
}

// storeWithGenerations plays what choices reads.
func storeWithGenerations(t *testing.T) string {
	t.Helper()
	store := t.TempDir()
	for i, digit := range []string{"a", "b", "c"} {
		write(t, filepath.Join(store, "systems", strings.Repeat(digit, 64)), `{"kernel_version":"1.2.3"}`)
		write(t, filepath.Join(store, "generations", fmt.Sprint(i+1), "record.json"), fmt.Sprintf(
			`{"format":1,"number":%d,"system":%q,"date":"2026-11-25T00:00:00Z","origin":"boot","subject":"Change %d"}`, i+1, strings.Repeat(digit, 64), i+1))
	}
	write(t, filepath.Join(store, "generations/2/good"), "")
	write(t, filepath.Join(store, "generations/3/failed"), "why\n")
	write(t, filepath.Join(store, "generations/12/record.json"), "{")
	write(t, filepath.Join(store, "generations/.13/record.json"), "{}")
	write(t, filepath.Join(store, "systems", strings.Repeat("d", 64)), "{}")
	write(t, filepath.Join(store, "systems/half-written"), "{}")
	return store
}

func TestChoicesAreGenerationsAndOtherSystems(t *testing.T) {
	all, err := choices(storeWithGenerations(t))
	must(t, err)
	var got []string
	for _, c := range all {
		got = append(got, fmt.Sprintf("%d %s %s %v", c.generation, c.system[:2], c.subject, c.marks))
	}
	if want := "1 aa Change 1 []; 2 bb Change 2 [good]; 3 cc Change 3 [failed]; 0 dd  []"; strings.Join(got, "; ") != want {
		t.Errorf("%q\nwant %q", strings.Join(got, "; "), want)
	}
	for word, want := range map[string]string{"2": "bb", "b": "bb", "ddd": "dd", "9": "", "e": "", "0": "", "": "aabbccdd"} {
		got := ""
		for _, c := range named(all, word) {
			got += c.system[:2]
		}
		if got != want {
			t.Errorf("%q names %q, want %q", word, got, want)
		}
	}
	if all, err := choices(t.TempDir()); err == nil {
		t.Errorf("what is no store has %v", all)
	}
}

func TestPromptStartsAnotherGeneration(t *testing.T) {
	if !mounttest.Inside() {
		t.Fatal("this test mounts; run it as root")
	}
	must(t, os.MkdirAll(storePlace, 0o700))
	must(t, unix.Mount(storeWithGenerations(t), storePlace, "", unix.MS_BIND, ""))
	defer func() {
		must(t, unix.Unmount(storePlace, 0))
		must(t, os.Remove(storePlace))
	}()
	p := newPrompt(t, machineDisks(t))
	var started []string
	p.start = func(system string, generation int) error {
		started = append(started, fmt.Sprint(system[:2], generation))
		return errors.New("that one is broken, too")
	}
	got := talk(t, p, "generations", "boot 7", "boot 2", "never read")
	for _, want := range []string{
		"    2  bbbbbbbbbbbb 2026-11-25T00:00:00Z boot good \"Change 2\"\n", "    -  dddddddddddd",
		`"7" names 0 of what there is`, "the system has kernel 1.2.3, and",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it says\n%s\nwithout %q", got, want)
		}
	}
	if len(started) != 1 || started[0] != "bb2" {
		t.Errorf("it started %q", started)
	}
}

func TestConsoleWaitsForAPerson(t *testing.T) {
	in, out, err := os.Pipe()
	must(t, err)
	defer in.Close()
	begin := time.Now()
	if (console{in}).pressed(50*time.Millisecond) || time.Since(begin) < 40*time.Millisecond {
		t.Error("nobody pressed anything")
	}
	_, err = out.WriteString("\n")
	must(t, err)
	if !(console{in}).pressed(time.Minute) {
		t.Error("Enter was not heard")
	}
	must(t, out.Close())
	begin = time.Now()
	if (console{in}).pressed(50*time.Millisecond) || time.Since(begin) < 40*time.Millisecond {
		t.Error("a console without a keyboard pressed something")
	}
}

func TestKernelMessagesReadLikeDmesgs(t *testing.T) {
	for record, want := range map[string]string{
		"6,339,5140900,-;NET: Registered\n SUBSYSTEM=x\n": "[    5.140900] NET: Registered",
		"nonsense": "", "a;b": "b", "1,2,x;t\x1b": "t?",
	} {
		if got := kernelMessage(record); got != want {
			t.Errorf("%q: %q, want %q", record, got, want)
		}
	}
}
