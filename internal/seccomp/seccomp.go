package seccomp

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where the kernel's seccomp_data has what a filter reads (seccomp(2)).
const (
	dataNumber       = 0
	dataArchitecture = 4
)

// Calls are system calls by their numbers, for programs of one architecture.
type Calls struct {
	Architecture uint32 // AUDIT_ARCH_*, as linux/audit.h has them
	Numbers      []uint32
}

// Syncs are the calls that wait until something is on the disk: sync, fsync,
// fdatasync, sync_file_range and syncfs, as unistd_64.h and unistd_32.h have them.
var Syncs = []Calls{
	{unix.AUDIT_ARCH_X86_64, []uint32{162, 74, 75, 277, 306}},
	{unix.AUDIT_ARCH_I386, []uint32{36, 118, 148, 314, 344}},
}

// Sleeps are the calls that wait for the clock and nothing else: nanosleep and
// clock_nanosleep.
var Sleeps = []Calls{
	{unix.AUDIT_ARCH_X86_64, []uint32{35, 230}},
}

// Skip makes calls end well without being carried out, from now on, for this thread
// and its children. The thread must not gain privileges by what it executes
// (PR_SET_NO_NEW_PRIVS) or have CAP_SYS_ADMIN. A kernel without seccomp carries them out.
func Skip(calls []Calls) error {
	filter := filterOf(calls)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(filter)
	if errno != 0 && !errors.Is(errno, unix.EINVAL) && !errors.Is(errno, unix.ENOSYS) {
		return fmt.Errorf("skip system calls: %w", errno)
	}
	return nil
}

func filterOf(calls []Calls) []unix.SockFilter {
	statement := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	jump := func(k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
	}
	var filter []unix.SockFilter
	for _, of := range calls {
		// Load the architecture; another one passes over all of this.
		filter = append(filter,
			statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, dataArchitecture),
			jump(of.Architecture, 0, len(of.Numbers)+3),
			statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, dataNumber))
		for i, number := range of.Numbers {
			filter = append(filter, jump(number, len(of.Numbers)-i, 0))
		}
		filter = append(filter,
			statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW),
			statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ERRNO)) // with errno 0
	}
	return append(filter, statement(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW))
}
