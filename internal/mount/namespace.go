package mount

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// inPrivateNamespace runs do on a thread with a mount namespace of its own, a
// private copy of the caller's. Mounts made there are seen by nobody, and are
// gone when it returns; detached mounts (fsmount(2)) can be carried out.
//
// The thread ends with it: a thread cannot be brought back, because setns(2)
// would change its root directory.
func inPrivateNamespace(do func() error) error {
	result := make(chan error, 1)
	tid := make(chan int, 1)
	go onOwnThread(func() {
		tid <- unix.Gettid()
		result <- func() error {
			if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("make a mount namespace (are you root?): %w", err)
			}
			// A chroot that is no mount point cannot do this, and going on would
			// show the mounts to the whole machine.
			if err := MakePrivate("/"); err != nil {
				return fmt.Errorf("in a chroot? %w", err)
			}
			return do()
		}()
	})
	thread := <-tid
	err := <-result
	waitForThread(thread)
	return err
}

// A Namespace is a mount namespace of another process, kept open: it lives on
// even when the process ends.
type Namespace struct{ file *os.File }

// NamespaceOf opens the mount namespace of a process. Proc is where proc(5) is
// mounted.
func NamespaceOf(proc string, pid int) (*Namespace, error) {
	file, err := os.Open(fmt.Sprintf("%s/%d/ns/mnt", proc, pid))
	if err != nil {
		return nil, err
	}
	return &Namespace{file}, nil
}

// Run runs do on a thread in the namespace: paths are those of its own root.
func (n *Namespace) Run(do func() error) error {
	result := make(chan error, 1)
	go onOwnThread(func() {
		result <- func() error {
			// A thread that shares its root with others cannot change it.
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return fmt.Errorf("leave the process's root: %w", err)
			}
			if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNS); err != nil {
				return fmt.Errorf("enter a mount namespace: %w", err)
			}
			return do()
		}()
	})
	return <-result
}

// Close lets go of the namespace.
func (n *Namespace) Close() error { return n.file.Close() }

// onOwnThread runs do on a thread that is used for nothing else, never the main
// one: /proc/self shows the main thread's namespace, which must not change.
// It never unlocks the thread, so the runtime ends it.
func onOwnThread(do func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		do()
		return
	}
	// While this goroutine holds the main thread, another one cannot get it.
	defer runtime.UnlockOSThread()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		do()
	}()
	<-done
}

// waitForThread returns when the thread is gone, and with it the namespace that
// held every file system of the caller: so that the caller can unmount one and
// find its device free. It gives up after a second, which costs only that.
func waitForThread(tid int) {
	path := fmt.Sprintf("/proc/self/task/%d", tid)
	for wait := 20 * time.Microsecond; wait < 500*time.Millisecond; wait *= 2 {
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(wait)
	}
}
