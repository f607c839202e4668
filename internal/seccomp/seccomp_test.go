package seccomp

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onThread runs on a thread of its own, which ends with what was done to it.
func onThread(do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- do()
	}()
	return <-done
}

func TestSkippedCallsEndAtOnce(t *testing.T) {
	began := time.Now()
	err := onThread(func() error {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		if err := Skip(Sleeps); err != nil {
			return err
		}
		return unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &unix.Timespec{Sec: 30}, nil)
	})
	if took := time.Since(began); err != nil || took > 20*time.Second {
		t.Errorf("a sleep of 30 s: %v, %v", took, err)
	}
	if err := onThread(func() error { return unix.ClockNanosleep(unix.CLOCK_REALTIME, 0, &unix.Timespec{Nsec: 1}, nil) }); err != nil {
		t.Errorf("on another thread: %v", err)
	}
}

// Each architecture passes over the calls of the others, and what is not skipped is
// carried out.
func TestFilter(t *testing.T) {
	filter := filterOf(Syncs)
	for _, c := range []struct {
		architecture, number uint32
		want                 uint32
	}{
		{unix.AUDIT_ARCH_X86_64, 162, unix.SECCOMP_RET_ERRNO},
		{unix.AUDIT_ARCH_X86_64, 306, unix.SECCOMP_RET_ERRNO},
		{unix.AUDIT_ARCH_X86_64, 36, unix.SECCOMP_RET_ALLOW},
		{unix.AUDIT_ARCH_I386, 36, unix.SECCOMP_RET_ERRNO},
		{unix.AUDIT_ARCH_I386, 162, unix.SECCOMP_RET_ALLOW},
		{unix.AUDIT_ARCH_AARCH64, 162, unix.SECCOMP_RET_ALLOW},
	} {
		if have := run(t, filter, c.architecture, c.number); have != c.want {
			t.Errorf("call %d of architecture %#x: have %#x, want %#x", c.number, c.architecture, have, c.want)
		}
	}
}

// run does what the kernel does with a filter.
func run(t *testing.T, filter []unix.SockFilter, architecture, number uint32) uint32 {
	var loaded uint32
	for at := 0; at < len(filter); at++ {
		switch f := filter[at]; f.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			loaded = map[uint32]uint32{dataNumber: number, dataArchitecture: architecture}[f.K]
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if loaded == f.K {
				at += int(f.Jt)
			} else {
				at += int(f.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return f.K
		default:
			t.Fatalf("instruction %d is unknown: %#x", at, f.Code)
		}
	}
	t.Fatal("the filter does not end")
	return 0
}
