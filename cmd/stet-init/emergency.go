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

// emergency tells the person at the console why the machine does not start, and
// ends it after a while: a kernel panic would only hide the reason. With panic=
// on the command line it restarts after so many seconds, as the kernel would.
func emergency(err error) {
	wait, restart := emergencyDelay, false
	if text, readErr := os.ReadFile("/proc/cmdline"); readErr == nil {
		commands, _ := parseCommandLine(string(text))
		switch after := commands.panicAfter; {
		case after > 0:
			wait, restart = time.Duration(after)*time.Second, true
		case after < 0:
			wait, restart = 0, true
		}
	}
	show(explain(err, wait, restart))
	time.Sleep(wait)
	unix.Sync()
	command := unix.LINUX_REBOOT_CMD_POWER_OFF
	if restart {
		command = unix.LINUX_REBOOT_CMD_RESTART
	}
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
	ending := "powers off"
	if restart {
		ending = "restarts"
	}
	fmt.Fprintf(&text, "\n  The machine %s in %d seconds.\n\n", ending, int(wait.Seconds()))
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
