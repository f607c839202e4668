// Command stet-understudy stands in the place of certain programs of Debian
// while maintainer scripts run. What internal/understudy declines, the packaged
// program does, which lies beside it meanwhile.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"stet/internal/understudy"
)

// wings is where the packaged programs are meanwhile, by their base names, and
// the mark of a call that could not be finished: where no script looks for
// anything.
const (
	wings      = "/.stet/"
	unfinished = wings + "unfinished"
)

func main() {
	status, err := run()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: error: %v\n", os.Args[0], err)
		status = 1
	}
	os.Exit(status)
}

func run() (int, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, err
	}
	// A program may do another thing by another name, which is a link to it.
	name := filepath.Base(os.Args[0])
	if _, err := os.Lstat(wings + name); err != nil {
		name = filepath.Base(program)
	}
	runtime.LockOSThread() // what a call does to its thread is for the packaged program
	call := understudy.Call{Args: os.Args[1:], Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr}
	status, done, err := call.Run(name)
	if errors.Is(err, understudy.ErrUnfinished) {
		return 1, errors.Join(err, os.WriteFile(unfinished, nil, 0o644))
	}
	if err != nil || done {
		return status, err
	}
	return 0, unix.Exec(wings+name, os.Args, os.Environ())
}
