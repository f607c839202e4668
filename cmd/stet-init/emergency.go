package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Levels of a kernel message, as in syslog(2).
const (
	levelWarning = 4
	levelInfo    = 6
)

// emergencyDelay is how long the message stays before the machine powers off.
const emergencyDelay = 60 * time.Second

// A remedy is an error together with what a person can do about it.
type remedy struct {
	err error
	do  string
}

func (r remedy) Error() string { return r.err.Error() }
func (r remedy) Unwrap() error { return r.err }

// emergency tells the person at the console why the machine does not start: a
// kernel panic would only hide the reason. Who presses Enter gets a prompt; when
// nobody does, the machine powers off after a while. With panic= on the command
// line it restarts after so many seconds, as the kernel would, so that a boot that
// is counted goes back by itself.
func (m *machine) emergency(err error) {
	for {
		wait, restart := m.ending()
		show(explain(err, wait, restart))
		console, openErr := openConsole()
		if openErr != nil {
			time.Sleep(wait)
		}
		if openErr != nil || !console.pressed(wait) {
			if restart {
				end(unix.LINUX_REBOOT_CMD_RESTART)
			}
			end(unix.LINUX_REBOOT_CMD_POWER_OFF)
		}
		err = m.ask(console)
		console.Close()
	}
}

// ending is when and how the machine ends when nobody does anything.
func (m *machine) ending() (wait time.Duration, restart bool) {
	commands := m.commands
	if text, err := os.ReadFile("/proc/cmdline"); err == nil {
		commands, _ = parseCommandLine(string(text)) // of which all may be wrong but panic=
	}
	switch after := commands.panicAfter; {
	case after > 0:
		return time.Duration(after) * time.Second, true
	case after < 0:
		return 0, true
	}
	return emergencyDelay, false
}

// end ends the machine; command is one of reboot(2).
func end(command int) {
	unix.Sync()
	unix.Reboot(command)
	select {} // no way to end it: stand still with the message
}

// explain is what the person reads.
func explain(err error, wait time.Duration, restart bool) string {
	var text strings.Builder
	text.WriteString("\n\n  This machine cannot start.\n\n")
	fmt.Fprintf(&text, "  What is wrong:  %s\n", indent(err.Error()))
	var r remedy
	if errors.As(err, &r) {
		fmt.Fprintf(&text, "  What to do:     %s\n", indent(r.do))
	}
	what := "powers off"
	if restart {
		what = "restarts"
	}
	fmt.Fprintf(&text, "\n  Press Enter for a prompt. Without, the machine %s in %d seconds.\n\n", what, int(wait.Seconds()))
	return text.String()
}

func indent(text string) string {
	return strings.ReplaceAll(text, "\n", "\n                  ")
}

// show writes to the console, and to the kernel log for consoles that are none
// of this program's.
func show(text string) {
	console, err := os.OpenFile("/dev/console", os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		log(levelWarning, strings.Join(strings.Fields(text), " "))
		return
	}
	defer console.Close()
	console.WriteString(text)
}

// log writes one line to the kernel log.
func log(level int, text string) {
	kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer kmsg.Close()
	fmt.Fprintf(kmsg, "<%d>stet-init: %s", level, strings.ReplaceAll(text, "\n", " "))
}
