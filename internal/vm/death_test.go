package vm

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain is also the program that TestKilledParentLeavesNoQemu kills.
func TestMain(m *testing.M) {
	if kernel := os.Getenv("STET_TEST_VM_VICTIM"); kernel != "" {
		vm, err := Start(context.Background(), Config{
			Kernel: kernel, Agent: []byte("none"), Accelerator: &Accelerator{},
			Memory: 64, RunDirectory: os.Getenv("STET_TEST_VM_DIRECTORY"),
		})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(vm.current.child.command.Process.Pid)
		select {}
	}
	os.Exit(m.Run())
}

func TestKilledParentLeavesNoQemu(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "STET_TEST_VM_VICTIM="+c.Kernel, "STET_TEST_VM_DIRECTORY="+c.RunDirectory)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	victim.Process.Kill()
	victim.Wait()
	if err != nil {
		t.Fatalf("the victim said %q", line)
	}
	gone := false
	for range 200 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if gone = err != nil || strings.Contains(string(status), ") Z "); gone {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !gone {
		t.Errorf("QEMU (pid %d) outlived its parent", pid)
	}
	if left, _ := filepath.Glob(filepath.Join(c.RunDirectory, runPrefix+"*")); len(left) != 1 {
		t.Fatalf("run directories: %v", left)
	}
	next, err := makeRunDirectory(c.RunDirectory)
	if err != nil {
		t.Fatal(err)
	}
	defer next.remove()
	if left, _ := filepath.Glob(filepath.Join(c.RunDirectory, runPrefix+"*")); len(left) != 1 || left[0] != next.path {
		t.Errorf("the next start left %v", left)
	}
}
