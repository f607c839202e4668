package surroundings

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// elsewhere makes the test's binary the program that runs elsewhere.
const elsewhere = "STET_SURROUNDINGS_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(elsewhere) != "" {
		if err := tell(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// seen is what a process notices of the host.
type seen struct {
	Report     Report
	Host       string
	Zone, Home string
	Umask      int
	CPUs       int
	Interfaces int
}

func look() (s seen, err error) {
	s.Host, err = os.Hostname()
	s.Zone, s.Home, s.CPUs = os.Getenv("TZ"), os.Getenv("HOME"), runtime.NumCPU()
	s.Umask = unix.Umask(0o022)
	unix.Umask(s.Umask)
	interfaces, _ := net.Interfaces()
	s.Interfaces = len(interfaces)
	return s, err
}

func tell() error {
	report, err := Enter()
	if err != nil {
		return err
	}
	s, err := look()
	if err != nil {
		return err
	}
	s.Report = report
	return json.NewEncoder(os.Stdout).Encode(s)
}

func TestAProgramRunsElsewhereAndTheHostStaysAsItIs(t *testing.T) {
	before, err := look()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, errors bytes.Buffer
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), elsewhere+"=yes")
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := Run(cmd); err != nil {
		t.Fatalf("%v\n%s", err, errors.String())
	}
	var there seen
	if err := json.Unmarshal(out.Bytes(), &there); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if there.Zone == before.Zone || there.Home == before.Home || there.Umask == before.Umask || there.CPUs != 1 {
		t.Errorf("it sees %+v, as here", there)
	}
	varied := strings.Join(there.Report.Varied, "; ")
	if os.Geteuid() == 0 {
		if there.Host != hostname || there.Interfaces > 1 || !strings.Contains(varied, "host name") {
			t.Errorf("it sees %+v", there)
		}
	}
	if len(there.Report.Same) < len(constant) {
		t.Errorf("it keeps quiet about what it cannot change: %v", there.Report.Same)
	}
	after, err := look()
	if err != nil {
		t.Fatal(err)
	}
	var cpus unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cpus); err != nil {
		t.Fatal(err)
	}
	if after.Host != before.Host || after.Umask != before.Umask || after.Interfaces != before.Interfaces || cpus.Count() != runtime.NumCPU() {
		t.Errorf("the host was changed: %+v, now %+v", before, after)
	}
}

func TestAFailureIsHandedOn(t *testing.T) {
	if err := Run(exec.Command("/nonexistent")); err == nil {
		t.Error("a program that is not there ran")
	}
	if err := Run(exec.Command("false")); err == nil {
		t.Error("a failure was lost")
	}
}
