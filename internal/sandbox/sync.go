package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the kernel's seccomp_data has what a filter reads (seccomp(2)).
const (
	seccompNumber       = 0
	seccompArchitecture = 4
)

// waits are the system calls that wait until something is on the disk, by the
// architecture of the program that calls.
var waits = []struct {
	architecture uint32
	calls        []uint32
}{
	// sync, fsync, fdatasync, sync_file_range, syncfs, as unistd_64.h and
	// unistd_32.h have them.
	{unix.AUDIT_ARCH_X86_64, []uint32{162, 74, 75, 277, 306}},
	{unix.AUDIT_ARCH_I386, []uint32{36, 118, 148, 314, 344}},
}

// neverWait makes calls that wait for the disk end well at once. What a program
// makes in a sandbox is written out by whoever takes it from there; until then, a
// power cut loses all of it anyway. A kernel without seccomp waits.
func neverWait() error {
	statement := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	jump := func(k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
	}
	var filter []unix.SockFilter
	for _, w := range waits {
		// Load the architecture; another one passes over all of this.
		filter = append(filter,
			statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompArchitecture),
			jump(w.architecture, 0, len(w.calls)+3),
			statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNumber))
		for i, call := range w.calls {
			filter = append(filter, jump(call, len(w.calls)-i, 0))
		}
		filter = append(filter,
			statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW),
			statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO)) // with errno 0
	}
	filter = append(filter, statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 && !errors.Is(errno, unix.EINVAL) && !errors.Is(errno, unix.ENOSYS) {
		return fmt.Errorf("let no program wait for the disk: %w", errno)
	}
	return nil
}
