package verity

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrUnsupported is returned where the file system has no fs-verity.
var ErrUnsupported = errors.New("the file system has no fs-verity")

// Enable seals an open file: its content can never change again, and every
// read is checked. The file must be open read-only and no writer may be left.
// It returns nil when the file is sealed already and [ErrUnsupported] where
// the file system cannot.
func Enable(file *os.File) error {
	arg := unix.FsverityEnableArg{Version: 1, Hash_algorithm: 1, Block_size: blockSize}
	for try := 0; ; try++ {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), unix.FS_IOC_ENABLE_VERITY, uintptr(unsafe.Pointer(&arg)))
		switch errno {
		case 0, unix.EEXIST:
			return nil
		case unix.EOPNOTSUPP, unix.ENOTTY:
			return ErrUnsupported
		case unix.ETXTBSY:
			// A concurrent fork holds the writing descriptor until its exec.
			if try < 5 {
				time.Sleep(time.Millisecond << try)
				continue
			}
		}
		return fmt.Errorf("enable fs-verity on %s: %w", file.Name(), errno)
	}
}

// Measure asks the kernel for the digest of a sealed file. It returns
// [ErrUnsupported] when the file system has no fs-verity, and unix.ENODATA
// (wrapped) when the file is not sealed.
func Measure(file *os.File) (Digest, error) {
	var answer struct {
		header unix.FsverityDigest
		digest Digest
	}
	answer.header.Size = uint16(len(answer.digest))
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, file.Fd(), unix.FS_IOC_MEASURE_VERITY, uintptr(unsafe.Pointer(&answer)))
	switch errno {
	case 0:
		return answer.digest, nil
	case unix.EOPNOTSUPP, unix.ENOTTY:
		return Digest{}, ErrUnsupported
	}
	return Digest{}, fmt.Errorf("measure fs-verity of %s: %w", file.Name(), errno)
}
