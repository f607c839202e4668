package mount

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// maxValue is the longest string, without its NUL, that fsconfig(2) takes.
const maxValue = 255

// A context is a file system under construction: fsopen(2), fsconfig(2),
// fsmount(2). The first error sticks, so that a mount reads as a list of what
// it wants.
type context struct {
	fd     int
	kmsg   int // the kernel log from here on; negative when it cannot be read
	fstype string
	err    error
}

func newContext(fstype string) *context {
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	c := &context{fd: fd, kmsg: openKernelLog(), fstype: fstype}
	if err != nil {
		c.fd = -1
		c.err = fmt.Errorf("this kernel has no %s file system: %w", fstype, err)
	}
	return c
}

func (c *context) set(key, value string) {
	if c.err != nil {
		return
	}
	if len(value) > maxValue {
		c.err = fmt.Errorf("%s: option %s is longer than %d bytes", c.fstype, key, maxValue)
		return
	}
	if err := unix.FsconfigSetString(c.fd, key, value); err != nil {
		c.err = c.explain(key+"="+value, err)
	}
}

func (c *context) flag(key string) {
	if c.err != nil {
		return
	}
	if err := unix.FsconfigSetFlag(c.fd, key); err != nil {
		c.err = c.explain(key, err)
	}
}

// mount creates the superblock and returns a detached mount of it.
func (c *context) mount(attrs int, what string) (*Mount, error) {
	if c.err != nil {
		return nil, c.err
	}
	if err := unix.FsconfigCreate(c.fd); err != nil {
		return nil, c.explain("create", err)
	}
	fd, err := unix.Fsmount(c.fd, unix.FSMOUNT_CLOEXEC, attrs)
	if err != nil {
		return nil, c.explain("mount", err)
	}
	return &Mount{fd: fd, what: what}, nil
}

func (c *context) close() {
	for _, fd := range []*int{&c.fd, &c.kmsg} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// explain adds what the kernel says about err, which is far more than EINVAL:
// in the log of the context where the file system uses that, else in the
// kernel's log.
func (c *context) explain(doing string, err error) error {
	said := readMessages(c.fd, contextMessage)
	if len(said) == 0 {
		said = readMessages(c.kmsg, kernelMessage(c.fstype))
	}
	if len(said) == 0 {
		return fmt.Errorf("%s: %s: %w", c.fstype, doing, err)
	}
	return fmt.Errorf("%s: %s: %w (kernel: %s)", c.fstype, doing, err, strings.Join(said, "; "))
}

// openKernelLog opens /dev/kmsg behind its last message, or returns -1.
func openKernelLog() int {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		unix.Close(fd)
		return -1
	}
	return fd
}

// readMessages reads a log that gives one message a read, and keeps what pick
// returns of each.
func readMessages(fd int, pick func(string) string) []string {
	if fd < 0 {
		return nil
	}
	var said []string
	buf := make([]byte, 8192)
	for range 64 { // a busy log must not hold up the error
		n, err := unix.Read(fd, buf)
		if err != nil || n <= 0 {
			break
		}
		if message := pick(string(buf[:n])); message != "" {
			said = append(said, message)
		}
	}
	return said
}

// contextMessage takes the level from a message of a file system context:
// "e overlay: …" is an error; w a warning, i information.
func contextMessage(record string) string {
	line := strings.TrimSpace(record)
	if len(line) > 2 && line[1] == ' ' {
		line = line[2:]
	}
	return line
}

// kernelMessage picks from records of /dev/kmsg ("level,seq,time,flags;text")
// those that begin with the name of the file system.
func kernelMessage(fstype string) func(string) string {
	return func(record string) string {
		_, text, ok := strings.Cut(record, ";")
		if !ok || !strings.HasPrefix(text, fstype) {
			return ""
		}
		line, _, _ := strings.Cut(text, "\n")
		return line
	}
}
