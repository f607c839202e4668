package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOverlayIsWhatQemuImgMakes(t *testing.T) {
	for name, size := range map[string]int64{"one sector": 512, "odd": 1<<20 + 1, "one L1 entry": 512 << 20, "two": 512<<20 + 512, "large": 3 << 40} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			base := filepath.Join(directory, "a base, with a comma.raw")
			if err := os.WriteFile(base, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(base, size); err != nil {
				t.Fatal("the temporary directory needs a file system with sparse files of this size: ", err)
			}
			ours, theirs := filepath.Join(directory, "ours"), filepath.Join(directory, "theirs")
			if err := writeOverlay(ours, base, raw); err != nil {
				t.Fatal(err)
			}
			qemuImg(t, "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, theirs)
			compareImages(t, ours, theirs)

			// The same over the overlay.
			again, theirsAgain := filepath.Join(directory, "again"), filepath.Join(directory, "theirs again")
			if err := writeOverlay(again, ours, qcow2); err != nil {
				t.Fatal(err)
			}
			qemuImg(t, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", ours, theirsAgain)
			compareImages(t, again, theirsAgain)
		})
	}
}

// compareImages holds an image of ours against one of qemu-img's.
func compareImages(t *testing.T, ours, theirs string) {
	t.Helper()
	qemuImg(t, "check", "-q", ours)
	var got, want map[string]any
	for path, info := range map[string]*map[string]any{ours: &got, theirs: &want} {
		if err := json.Unmarshal(qemuImg(t, "info", "--output=json", path), info); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"virtual-size", "cluster-size", "format", "full-backing-filename", "backing-filename-format"} {
		if got[key] != want[key] {
			t.Errorf("%s: %v, and qemu-img says %v", key, got[key], want[key])
		}
	}
}

func qemuImg(t *testing.T, args ...string) []byte {
	t.Helper()
	out, err := exec.Command("qemu-img", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("qemu-img %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func TestOverlayRefusesWhatIsNoImage(t *testing.T) {
	directory := t.TempDir()
	empty := filepath.Join(directory, "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{empty, directory, filepath.Join(directory, "none")} {
		for _, format := range []string{raw, qcow2} {
			if err := writeOverlay(filepath.Join(directory, "overlay"), base, format); err == nil {
				t.Errorf("%s was taken as %s", base, format)
			}
		}
	}
}

func TestMonitor(t *testing.T) {
	ours, qemu := net.Pipe()
	defer qemu.Close()
	events := make(chan string, 1)
	monitor := newQMP(ours, func(name, reason string) { events <- name + " " + reason })
	go func() {
		io.WriteString(qemu, "garbage\n"+`{"QMP": {"version": {}}}`+"\n")
		lines := json.NewDecoder(qemu)
		for {
			var request struct {
				Execute string
				ID      uint64
			}
			if lines.Decode(&request) != nil {
				return
			}
			answer, _ := json.Marshal(map[string]any{"return": map[string]any{"said": request.Execute}, "id": request.ID})
			if request.Execute == "bad" {
				answer, _ = json.Marshal(map[string]any{"error": map[string]any{"class": "GenericError", "desc": "no such thing"}, "id": request.ID})
			}
			io.WriteString(qemu, `{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-reset"}}`+"\n"+`{"return": {}, "id": 999}`+"\n"+string(answer)+"\n")
			if event := <-events; event != "SHUTDOWN guest-reset" {
				t.Errorf("event %q", event)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := monitor.negotiate(ctx); err != nil {
		t.Fatal(err)
	}
	var result struct{ Said string }
	if err := monitor.execute(ctx, "query-status", nil, &result); err != nil || result.Said != "query-status" {
		t.Errorf("got %+v, %v", result, err)
	}
	if err := monitor.execute(ctx, "bad", nil, nil); err == nil || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("got %v", err)
	}
	qemu.Close()
	if err := monitor.execute(ctx, "query-status", nil, nil); err == nil {
		t.Error("a monitor that is gone answered")
	}
}

func FuzzMonitor(f *testing.F) {
	f.Add([]byte(`{"QMP": {}}` + "\n" + `{"return": {}, "id": 1}` + "\n" + `{"event": "STOP"}` + "\n" + `{"QMP": {}}` + "\n"))
	f.Add([]byte(`{"error": {}, "id": 1}` + "\n[]\nnull\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		ours, qemu := net.Pipe()
		monitor := newQMP(ours, func(string, string) {})
		go io.Copy(io.Discard, qemu)
		go func() {
			qemu.Write(said)
			qemu.Close()
		}()
		_ = monitor.negotiate(t.Context())
		<-monitor.done
		ours.Close()
	})
}

func FuzzPicture(f *testing.F) {
	f.Add([]byte("P6\n2 1\n255\nabcdef"))
	f.Add([]byte("P6 99999 99999 255 "))
	f.Add([]byte("P6 -1 -1 255 "))
	f.Fuzz(func(t *testing.T, data []byte) {
		// The declared size is bounded; keep the fuzzer's memory so too.
		if picture, err := decodePPM(bytes.NewReader(data)); err == nil && picture.Bounds().Dx()*picture.Bounds().Dy()*3 > len(data) {
			t.Errorf("%v out of %d bytes", picture.Bounds(), len(data))
		}
	})
}

func TestListeningPorts(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1
`
	for port, want := range map[int]bool{80: true, 22: true, 8080: false, 81: false} {
		if listens(table, port) != want {
			t.Errorf("port %d: %v", port, !want)
		}
	}
}

func TestParseForward(t *testing.T) {
	for text, want := range map[string]Forward{"8080:80": {8080, 80}, "0:22": {0, 22}, "443": {0, 443}, "65535:1": {65535, 1}} {
		if got, err := ParseForward(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", ":", "80:", "a:1", "1:0", "65536:1", "1:65536", "-1:80", "+1:80", "1:2:3", "99999999999999999999:1", "8080:80,guestfwd=x"} {
		if got, err := ParseForward(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestArgumentsKeepTheGuestIn(t *testing.T) {
	c := Config{Name: "a,b", Kernel: "k", Disk: "d", DiskSerial: "stet-store", CommandLine: "a b", Memory: 512, CPUs: 2, Clock: time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)}
	args := arguments(c, Accelerator{}, func(name string) string { return "/tmp/x,y/" + name }, []Forward{{8080, 80}})
	for _, want := range []string{
		"stet-a,,b", "max,-cx16,-erms,-fsrm", "tcg,thread=multi", "base=2031-01-02T03:04:05",
		"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:8080-:80",
		"reboot=shutdown", "if=none,id=store,format=qcow2,cache=unsafe,discard=unmap,file=/tmp/x,,y/overlay.qcow2",
		"virtio-blk-pci,drive=store,serial=stet-store",
	} {
		if !slices.Contains(args, want) {
			t.Errorf("no argument %q in %q", want, args)
		}
	}
	c.Bus = USB
	args = arguments(c, Accelerator{}, func(name string) string { return name }, nil)
	if strings.Contains(strings.Join(args, " "), "stet-store") || !slices.Contains(args, "usb-storage,bus=usb.0,drive=store") {
		t.Errorf("a disk on USB: %q", args)
	}
	if _, err := (Config{Kernel: "k", Bus: "floppy"}).withDefaults(); err == nil || !strings.Contains(err.Error(), `"floppy" is no bus`) {
		t.Errorf("a disk on a floppy: %v", err)
	}
}

func TestRunArchiveTakesNoForeignLines(t *testing.T) {
	for terminal, kept := range map[string]bool{"xterm-256color": true, "": false, "x\nExecStart=/bin/evil": false, "x y": false} {
		archive, err := runArchive(Config{Agent: []byte("agent"), Interactive: true, Terminal: terminal})
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(archive, []byte("TERM="+terminal+"\n")); got != kept {
			t.Errorf("%q: kept %v", terminal, got)
		}
		if !bytes.Contains(archive, []byte("--autologin root")) {
			t.Error("no autologin on an interactive console")
		}
	}
	archive, err := runArchive(Config{Agent: []byte("agent")})
	if err != nil || bytes.Contains(archive, []byte("autologin")) {
		t.Errorf("a console nobody sits at logs root in (%v)", err)
	}
}

func TestSweepTakesOnlyWhatNobodyHolds(t *testing.T) {
	parent := t.TempDir()
	held, err := makeRunDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := makeRunDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the kernel does when a process is killed
	foreign := filepath.Join(parent, runPrefix+"foreign")
	if err := os.Mkdir(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	next, err := makeRunDirectory(parent)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{held.path: true, dead.path: false, foreign: true, next.path: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: there %v", path, !want)
		}
	}
}

func TestMissingQemuNamesTheRemedy(t *testing.T) {
	kernel := filepath.Join(t.TempDir(), "kernel")
	if err := os.WriteFile(kernel, []byte("k"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	_, err := Start(t.Context(), Config{Kernel: kernel, Agent: []byte("agent")})
	var missing *MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "apt-get install qemu-system-x86") {
		t.Errorf("got %v", err)
	}
}
