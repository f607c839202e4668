package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stet/internal/mount"
)

// A console is the terminal at which a person may sit. The kernel edits its
// lines.
type console struct{ *os.File }

func openConsole() (console, error) {
	file, err := os.OpenFile("/dev/console", os.O_RDWR|unix.O_NOCTTY, 0)
	return console{file}, err
}

// pressed waits until somebody types a line.
func (c console) pressed(wait time.Duration) bool {
	deadline := time.Now().Add(wait)
	for {
		left := time.Until(deadline)
		ready := []unix.PollFd{{Fd: int32(c.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(ready, int(max(left, 0).Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || n == 0:
			return false
		}
		if n, err = c.Read(make([]byte, 4096)); err != nil || n == 0 {
			time.Sleep(left) // a console without a keyboard
			return false
		}
		return true
	}
}

// A prompt takes commands from a person.
type prompt struct {
	m   *machine
	in  *bufio.Reader
	out io.Writer

	// end ends the machine; start starts another system, and returns when that
	// fails.
	end   func(command int)
	start func(system string, generation int) error
}

// A command is what a person can say. run gives errLeave when the prompt ends.
type command struct {
	name, arguments, does string
	run                   func(*prompt, []string) error
}

func commands() []command {
	return []command{
		{"help", "", "list what can be said here", (*prompt).help},
		{"disks", "", "list disks and their partitions", (*prompt).listDisks},
		{"generations", "", "list what the store can start", (*prompt).listGenerations},
		{"boot", "NUMBER", "start a generation, or a system by the first digits of its digest", (*prompt).boot},
		{"mount", "[DEVICE]", "mount the store, or another device, below /store, to be read only", (*prompt).mount},
		{"ls", "[PATH]", "list a directory", (*prompt).ls},
		{"cat", "PATH", "show a file", (*prompt).cat},
		{"dmesg", "", "show the kernel's messages", (*prompt).dmesg},
		{"reboot", "", "restart the machine", func(p *prompt, _ []string) error { p.end(unix.LINUX_REBOOT_CMD_RESTART); return nil }},
		{"poweroff", "", "switch the machine off", func(p *prompt, _ []string) error { p.end(unix.LINUX_REBOOT_CMD_POWER_OFF); return nil }},
	}
}

// errLeave ends a prompt.
type errLeave struct{ reason error }

func (e errLeave) Error() string { return e.reason.Error() }

// ask talks with the person at the console until another start was tried, and
// gives why that failed.
func (m *machine) ask(c console) error {
	go m.loadKeyboards()
	p := &prompt{m: m, in: bufio.NewReader(c), out: c, end: end, start: m.startAnother}
	fmt.Fprintln(c, "Say help for what can be done here.")
	return p.run()
}

// run reads commands until one of them, or the end of the input, ends it.
func (p *prompt) run() error {
	for {
		fmt.Fprint(p.out, "stet> ")
		line, err := p.in.ReadString('\n')
		words := strings.Fields(line)
		if len(words) > 0 {
			err := p.say(words)
			var leave errLeave
			if errors.As(err, &leave) {
				return leave.reason
			}
			if err != nil {
				fmt.Fprintln(p.out, err)
				var r remedy
				if errors.As(err, &r) {
					fmt.Fprintln(p.out, r.do)
				}
			}
		}
		if err != nil {
			return fmt.Errorf("the prompt ended: %w", err)
		}
	}
}

// say carries one command out.
func (p *prompt) say(words []string) (err error) {
	defer func() {
		if crash := recover(); crash != nil {
			err = crashed(crash)
		}
	}()
	all := commands()
	i := slices.IndexFunc(all, func(c command) bool { return c.name == words[0] })
	if i < 0 {
		return fmt.Errorf("there is no command %q: say help", words[0])
	}
	wanted := len(strings.Fields(all[i].arguments))
	optional := strings.HasPrefix(all[i].arguments, "[")
	if given := len(words) - 1; given > wanted || given < wanted && !optional {
		return fmt.Errorf("say: %s %s", all[i].name, all[i].arguments)
	}
	return all[i].run(p, words[1:])
}

func (p *prompt) help([]string) error {
	for _, c := range commands() {
		fmt.Fprintf(p.out, "  %-20s %s\n", strings.TrimSpace(c.name+" "+c.arguments), c.does)
	}
	return nil
}

// startAnother starts a system instead of the one that could not be started.
func (m *machine) startAnother(system string, generation int) error {
	if m.root == "/" {
		return remedy{errors.New("it is too late: the other system is mounted already"), "Say reboot, and choose another entry in the boot menu."}
	}
	if m.etc.mounted != nil {
		m.etc.mounted.Close() // it was prepared, and has no place yet
	}
	for _, target := range []string{m.root, m.run, storePlace} {
		if err := mount.Detach(target); err != nil {
			return err
		}
	}
	if err := os.Remove(m.root); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	m.commands.system, m.commands.generation = system, generation
	m.etc, m.upper, m.laps, m.store = preparedEtc{}, 0, nil, place{}
	m.problem("a person chose system %s at the emergency prompt", short(system))
	steps := []func() error{m.remountRun, m.makeRun}
	if m.modules == nil {
		steps = append(steps, m.startLoadingModules)
	}
	return m.take(append(steps, m.startSystem)...)
}

// loadKeyboards loads drivers of keyboards for as long as there are any.
func (m *machine) loadKeyboards() {
	for range 10 { // a hub takes a while to tell what is at its ports
		if m.modules == nil {
			return
		}
		for {
			name, err := m.modules.loadNext(m.disks.sys, "keyboard")
			if err != nil {
				m.problem("%v", err)
			}
			if name == "" {
				break
			}
		}
		time.Sleep(time.Second)
	}
}
