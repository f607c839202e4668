package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// spent is what one run of a program took.
type spent struct {
	Wall   float64 // seconds
	CPU    float64 // seconds, of all its children too
	Memory float64 // MB of the largest process among it and its children
}

// measure runs a program to its end. What it prints is shown when it fails.
func measure(cmd *exec.Cmd) (took spent, said string, err error) {
	self, err := os.Executable()
	if err != nil {
		return spent{}, "", err
	}
	argv := cmd.Args
	cmd.Args = append([]string{self, measureAloneCommand, cmd.Path}, argv[1:]...)
	cmd.Path = self
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	figures, write, err := os.Pipe()
	if err != nil {
		return spent{}, "", err
	}
	defer figures.Close()
	cmd.ExtraFiles = []*os.File{write}
	err = cmd.Run()
	write.Close()
	if err == nil {
		err = json.NewDecoder(figures).Decode(&took)
	}
	if err != nil {
		return spent{}, "", fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, tail(complaint.String()+out.String()))
	}
	return took, out.String(), nil
}

// measureAloneCommand is the first argument of a process that runs a program, and
// tells on its third file what that took. It is small: what a process has in memory
// when it begins another one counts as that one's, too (getrusage(2), ru_maxrss).
const measureAloneCommand = "measure-alone"

// measureAlone gives the exit code of the program.
func measureAlone(path string, args []string) int {
	runtime.LockOSThread() // with which the program would be told to end
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	begin := time.Now()
	err := cmd.Run()
	took := time.Since(begin)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return max(exit.ExitCode(), 1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	err = json.NewEncoder(os.NewFile(3, "figures")).Encode(spent{
		Wall:   took.Seconds(),
		CPU:    (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(),
		Memory: float64(usage.Maxrss) * 1024 / 1e6,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}
