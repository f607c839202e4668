package namespace

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Initial reports whether this is the host's own user namespace, where root
// may do everything.
func Initial() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || strings.Join(strings.Fields(string(text)), " ") == "0 0 4294967295"
}

// Enter runs this program again in a user namespace, unless it is root in one
// already. The process stays the same: its number, terminal, files and groups.
func Enter() error {
	if os.Geteuid() == 0 {
		return nil
	}
	host := host{files: os.DirFS("/")}
	me, err := user.Current()
	if err != nil {
		return fmt.Errorf("find the own user: %w", err)
	}
	host.user, host.uid = me.Username, os.Geteuid()
	maps, err := host.maps(os.Getegid())
	if err != nil {
		return err
	}
	enterer, err := find("nsenter", "util-linux")
	if err != nil {
		return err
	}
	namespace, err := host.make(maps)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the own program: %w", err)
	}
	// A process of many threads cannot change its namespace. nsenter(1) has
	// one, and becomes this program again. It inherits the namespace by number.
	if _, err := unix.FcntlInt(namespace.Fd(), unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("enter the user namespace: %w", err)
	}
	argv := []string{"nsenter", fmt.Sprintf("--user=/proc/self/fd/%d", namespace.Fd()), "--preserve-credentials", "--", self}
	err = unix.Exec(enterer, append(argv, os.Args[1:]...), os.Environ())
	return fmt.Errorf("run %s: %w", enterer, err)
}

// find looks a program of the host up, and says which package has it.
func find(name, pack string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/bin", "/bin") {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && filepath.IsAbs(file) {
			return file, nil
		}
	}
	return "", &ForbiddenError{
		Reason: fmt.Sprintf("the program %s is not here", name),
		Remedy: fmt.Sprintf("as root: apt-get install %s", pack),
	}
}

// marker is argv[0] of the second run that the namespace is made with.
const marker = "stet-namespace"

// make makes the namespace, by a second run of this program that begins in it,
// tries there what a sandbox needs, and ends. The file keeps the namespace.
func (h host) make(maps [2][]string) (_ *os.File, err error) {
	var mappers [2]string
	for i, name := range []string{"newuidmap", "newgidmap"} {
		if mappers[i], err = find(name, "uidmap"); err != nil {
			return nil, err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own program: %w", err)
	}
	second := exec.Command(self)
	second.Args = []string{marker}
	second.Env = []string{}
	second.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, Pdeathsig: syscall.SIGKILL}
	begin, err := second.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", err)
	}
	var said bytes.Buffer
	second.Stdout = &said
	if err := second.Start(); err != nil {
		return nil, h.explain(err)
	}
	pid := strconv.Itoa(second.Process.Pid)
	defer func() {
		begin.Close()
		if ended := second.Wait(); err == nil && ended != nil {
			err = h.explain(errors.New(strings.TrimSpace(said.String())))
		}
	}()
	namespace, err := os.Open("/proc/" + pid + "/ns/user")
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", err)
	}
	for i, mapper := range mappers {
		if out, err := exec.Command(mapper, append([]string{pid}, maps[i]...)...).CombinedOutput(); err != nil {
			return nil, &ForbiddenError{
				Reason: fmt.Sprintf("%s cannot map the ids (%v): %s", mapper, err, strings.TrimSpace(string(out))),
				Remedy: "as root: apt-get install --reinstall uidmap; in a container, let programs gain privileges (no_new_privs)",
			}
		}
	}
	_, err = begin.Write([]byte{'\n'})
	return namespace, err
}

// Main does nothing, unless the executable was started by [Enter] as the
// second run: then it tries the namespace and does not return.
func Main() {
	if os.Args[0] != marker || len(os.Args) > 2 {
		return
	}
	err := error(nil)
	if len(os.Args) == 1 {
		err = begin()
	} else {
		err = try()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// begin waits for the maps. Only a program that is started when it is root has
// root's capabilities, so this one starts again.
func begin() error {
	if n, err := os.Stdin.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("wait for the ids: %w", err)
	}
	return fmt.Errorf("start again: %w", unix.Exec("/proc/self/exe", []string{marker, "try"}, nil))
}

// try makes a mount that nobody sees. The process ends after it, on any thread.
func try() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", "/sys", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount a tmpfs: %w", err)
	}
	return nil
}
