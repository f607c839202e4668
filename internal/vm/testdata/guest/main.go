// Command guest is the whole user space of the driver's tests: as /init it
// loads modules, mounts the disk, configures the network and starts the agent
// as stet-init and systemd would; by its other names it is the few programs
// that the tests run.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "init":
		initialise()
	case "systemctl":
		systemctl(os.Args[1:])
	case "tool":
		tool(os.Args[1:])
	}
}

func initialise() {
	for _, m := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}} {
		os.MkdirAll(m[1], 0o755)
		say("mount "+m[1], unix.Mount(m[0], m[1], m[0], 0, ""))
	}
	order, _ := os.ReadFile("/modules/order")
	for _, name := range strings.Fields(string(order)) {
		file, err := os.Open("/modules/" + name)
		if err == nil {
			flags := 0
			if strings.HasSuffix(name, ".xz") {
				flags = unix.MODULE_INIT_COMPRESSED_FILE
			}
			err = unix.FinitModule(int(file.Fd()), "", flags)
		}
		say("load "+name, err)
	}
	if _, err := os.Stat("/dev/vda"); err == nil {
		os.Mkdir("/disk", 0o755)
		say("mount the disk", unix.Mount("/dev/vda", "/disk", "ext4", 0, ""))
	}
	breakBoots()
	say("configure the network", address("lo", "127.0.0.1"))
	say("configure the network", address("eth0", "10.0.2.15"))
	agent := exec.Command("/stet.run/stet-vm/stet-agent")
	agent.Stdout, agent.Stderr = os.Stdout, os.Stderr
	say("start the agent", agent.Start())
	go io.Copy(os.Stdout, os.Stdin) // an echo for the console's test
	fmt.Println("guest: ready")

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT)
	how := unix.LINUX_REBOOT_CMD_POWER_OFF
	if <-signals == unix.SIGINT {
		how = unix.LINUX_REBOOT_CMD_RESTART
	}
	agent.Process.Signal(unix.SIGTERM)
	agent.Wait()
	unix.Unmount("/disk", 0)
	unix.Reboot(how)
}

// breakBoots does what a kernel does that QEMU broke, in as many boots from the
// first as the command line says: break-boots=N. The disk counts.
func breakBoots() {
	line, _ := os.ReadFile("/proc/cmdline")
	_, value, found := strings.Cut(string(line), "break-boots=")
	if !found {
		return
	}
	wanted, _ := strconv.Atoi(strings.Fields(value)[0])
	text, _ := os.ReadFile("/disk/boots")
	boots, _ := strconv.Atoi(string(text))
	if boots++; boots > wanted {
		return
	}
	say("count the boots", os.WriteFile("/disk/boots", []byte(strconv.Itoa(boots)), 0o644))
	unix.Sync()
	// Said by the kernel itself: a program's line is cut in two by the kernel's next.
	say("say what broke", os.WriteFile("/dev/kmsg", []byte("<0>Oops: int3: 0000 [#1] PREEMPT SMP NOPTI"), 0))
	os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	select {}
}

func say(what string, err error) {
	if err != nil {
		fmt.Printf("guest: %s: %v\n", what, err)
	}
}

// address gives a network interface an IPv4 address and brings it up.
func address(name, ip string) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	for request, set := range map[uint]func(*unix.Ifreq) error{
		unix.SIOCSIFADDR:  func(r *unix.Ifreq) error { return r.SetInet4Addr(net.ParseIP(ip).To4()) },
		unix.SIOCSIFFLAGS: func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil },
	} {
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		if err := set(r); err != nil {
			return err
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), uintptr(request), uintptr(unsafe.Pointer(r))); errno != 0 {
			return errno
		}
	}
	return nil
}

// systemctl knows units as files: /run/unit/NAME holds "ActiveState LoadState",
// and may say more: "Job=1", or "restarting" for one that each question finds in
// another invocation.
func systemctl(args []string) {
	last := args[len(args)-1]
	switch {
	case last == "poweroff":
		unix.Kill(1, unix.SIGTERM)
	case last == "reboot":
		unix.Kill(1, unix.SIGINT)
	case args[0] == "is-system-running":
		fmt.Println("running")
	case args[0] == "show":
		state, err := os.ReadFile("/run/unit/" + last)
		if err != nil {
			state = []byte("inactive not-found")
		}
		words := strings.Fields(string(state))
		fmt.Printf("ActiveState=%s\nLoadState=%s\n", words[0], words[1])
		for _, word := range words[2:] {
			if word == "restarting" {
				word = fmt.Sprintf("InvocationID=%d", os.Getpid())
			}
			fmt.Println(word)
		}
	case args[0] == "status":
		fmt.Println("what systemctl says about", last)
	}
}

func tool(args []string) {
	switch args[0] {
	case "true":
	case "mkdir":
		os.MkdirAll(args[1], 0o755)
	case "echo":
		fmt.Println(strings.Join(args[1:], " "))
	case "env":
		fmt.Println(os.Getenv(args[1]))
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "fail":
		status, _ := strconv.Atoi(args[1])
		fmt.Fprintln(os.Stderr, "failing as asked")
		os.Exit(status)
	case "sleep":
		time.Sleep(time.Hour)
	case "date":
		fmt.Println(time.Now().UTC().Format(time.DateOnly))
	case "seconds":
		fmt.Print(time.Now().Unix())
	case "keep": // write a file of the disk, with or without a sync
		os.WriteFile("/disk/"+args[1], []byte(args[2]), 0o644)
		if len(args) == 4 {
			unix.Sync()
		}
	case "write-back": // hand dirty pages to the disk, with no flush after them
		names, _ := filepath.Glob("/disk/*")
		for _, name := range names {
			file, err := os.Open(name)
			if err != nil {
				continue
			}
			say("write back "+name, unix.SyncFileRange(int(file.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE|unix.SYNC_FILE_RANGE_WAIT_AFTER))
			file.Close()
		}
	case "listen": // leave a server behind
		if len(args) == 2 {
			server := exec.Command(os.Args[0], "listen", args[1], "now")
			server.Stdout, server.Stderr = os.Stdout, os.Stderr
			say("start the server", server.Start())
			return
		}
		listener, err := net.Listen("tcp4", ":"+args[1])
		if err != nil {
			say("listen", err)
			os.Exit(1)
		}
		for {
			connection, err := listener.Accept()
			if err == nil {
				fmt.Fprintln(connection, "hello from the guest")
				connection.Close()
			}
		}
	case "panic":
		os.WriteFile("/proc/sysrq-trigger", []byte("c"), 0)
	}
}
