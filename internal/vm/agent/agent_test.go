package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// connect joins a client and an agent in this process.
func connect(t *testing.T) *Client {
	t.Helper()
	host, guest := net.Pipe()
	served := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(served)
		Serve(ctx, guest)
	}()
	client := NewClient(host)
	t.Cleanup(func() {
		client.Close()
		guest.Close()
		cancel()
		<-served
	})
	return client
}

func TestCommands(t *testing.T) {
	client := connect(t)
	for name, test := range map[string]struct {
		command        Command
		stdout, stderr string
		status         int
	}{
		"output":      {Shell("echo out; echo err >&2; exit 3"), "out\n", "err\n", 3},
		"input":       {Command{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}, "in", "", 0},
		"no input":    {Command{Argv: []string{"cat"}}, "", "", 0},
		"environment": {Command{Argv: []string{"/bin/sh", "-c", `echo "$A $HOME"`}, Env: []string{"A=b"}}, "b /root\n", "", 0},
		"directory":   {Command{Argv: []string{"pwd"}, Directory: "/usr"}, "/usr\n", "", 0},
		"signal":      {Shell("kill -TERM $$"), "", "", 143},
		"ignored input larger than a window": {
			Command{Argv: []string{"true"}, Stdin: bytes.NewReader(make([]byte, 4*window))}, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := client.Run(t.Context(), test.command)
			if err != nil {
				t.Fatal(err)
			}
			if string(result.Stdout) != test.stdout || string(result.Stderr) != test.stderr || result.ExitStatus != test.status {
				t.Errorf("got %q, %q, %d", result.Stdout, result.Stderr, result.ExitStatus)
			}
		})
	}
}

func TestLeftoverDaemonDelaysNothing(t *testing.T) {
	client := connect(t)
	begin := time.Now()
	result, err := client.Run(t.Context(), Shell("(sleep 20; echo late) & echo early"))
	if err != nil || string(result.Stdout) != "early\n" {
		t.Errorf("got %+v, %v", result, err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestOutputIsCompleteThoughItsReaderIsSlow(t *testing.T) {
	client := connect(t)
	slow := &slowWriter{}
	command := Shell("head -c 1000000 /dev/zero")
	command.Stdout = slow
	fast := make(chan error)
	go func() {
		_, err := client.Run(t.Context(), Shell("true"))
		fast <- err
	}()
	if _, err := client.Run(t.Context(), command); err != nil || slow.n != 1000000 {
		t.Errorf("got %d bytes, %v", slow.n, err)
	}
	if err := <-fast; err != nil {
		t.Error(err)
	}
}

type slowWriter struct{ n int }

func (w *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	w.n += len(p)
	return len(p), nil
}

func TestTimeoutKillsWhatTheCommandStarted(t *testing.T) {
	client := connect(t)
	pid := filepath.Join(t.TempDir(), "pid")
	command := Shell("sleep 300 & echo $! > " + pid + "; wait")
	command.Timeout = 300 * time.Millisecond
	result, err := client.Run(t.Context(), command)
	if err != nil || !result.TimedOut {
		t.Fatalf("got %+v, %v", result, err)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("the command's child still runs")
}

func TestFilesAreReplacedAsAWhole(t *testing.T) {
	client := connect(t)
	path := filepath.Join(t.TempDir(), "file")
	content := bytes.Repeat([]byte("0123456789abcdef"), 100000)
	if err := client.WriteFile(t.Context(), path, 0o640, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	got, err := client.ReadFile(t.Context(), path)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes came back, %v", len(got), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	failing := io.MultiReader(strings.NewReader("half"), errReader{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := client.WriteFile(ctx, path, 0o640, failing); err == nil {
		t.Error("a write whose source failed was reported as done")
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, content) {
		t.Error("a write that failed changed the file")
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken source") }

// script plays an agent frame by frame.
func script(t *testing.T) (client *Client, say func(string), heard *frameReader) {
	t.Helper()
	host, guest := net.Pipe()
	client = NewClient(host)
	t.Cleanup(func() { client.Close(); guest.Close() })
	say = func(line string) {
		if _, err := io.WriteString(guest, line+"\n"); err != nil {
			t.Error(err)
		}
	}
	return client, say, newFrameReader(guest)
}

func TestRebootEndsOpenRequests(t *testing.T) {
	client, say, heard := script(t)
	ended := make(chan error)
	go func() {
		_, err := client.Run(t.Context(), Shell("true"))
		ended <- err
	}()
	say(`left over from another boot","data":"AAAA"}`)
	say(`{"op":"hello","version":2,"session":"one"}`)
	if f, err := heard.next(); err != nil || f.Op != opExec || f.Session != "one" {
		t.Fatalf("got %+v, %v", f, err)
	}
	go io.Copy(io.Discard, heard.r)
	say(`{"op":"hello","version":2,"session":"one"}`)
	say(`{"op":"hello","version":2,"session":"two"}`)
	if err := <-ended; !errors.Is(err, ErrRestarted) {
		t.Errorf("got %v", err)
	}
	if session, err := client.Hello(t.Context(), "one"); err != nil || session != "two" {
		t.Errorf("got %q, %v", session, err)
	}
}

func TestAgentGreetsWhoComesLater(t *testing.T) {
	host, guest := net.Pipe()
	go Serve(t.Context(), guest)
	if f, err := newFrameReader(host).next(); err != nil || f.Op != opHello {
		t.Fatalf("got %+v, %v", f, err)
	}
	// Of somebody who went in the middle of a frame.
	if _, err := io.WriteString(host, `{"op":"exec","id":1,`); err != nil {
		t.Fatal(err)
	}
	client := NewClient(host)
	defer client.Close()
	if err := client.Greet(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result, err := client.Run(t.Context(), Shell("echo here")); err != nil || string(result.Stdout) != "here\n" {
		t.Errorf("got %+v, %v", result, err)
	}
}

func TestOtherVersionIsRefused(t *testing.T) {
	client, say, _ := script(t)
	say(`{"op":"hello","version":3,"session":"one"}`)
	if _, err := client.Run(t.Context(), Shell("true")); err == nil || !strings.Contains(err.Error(), "version 3") {
		t.Errorf("got %v", err)
	}
}

func TestAgentIgnoresAnotherSession(t *testing.T) {
	host, guest := net.Pipe()
	defer host.Close()
	go Serve(t.Context(), guest)
	heard := newFrameReader(host)
	hello, err := heard.next()
	if err != nil || hello.Op != opHello {
		t.Fatalf("got %+v, %v", hello, err)
	}
	mark := filepath.Join(t.TempDir(), "mark")
	stale := &frame{Op: opExec, ID: 1, Session: "a boot that is gone", Argv: []string{"touch", mark}}
	fresh := &frame{Op: opExec, ID: 2, Session: hello.Session, Argv: []string{"true"}}
	for _, f := range []*frame{stale, fresh} {
		line, err := f.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := host.Write(line); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := heard.next(); err != nil || f.Op != opExit || f.ID != 2 {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a request of another session was carried out")
	}
}

func TestPeerBeyondTheWindowIsRefused(t *testing.T) {
	box := newInbox(nil)
	for range window / chunk {
		if !box.put(make([]byte, chunk)) {
			t.Fatal("the window is too small")
		}
	}
	if box.put([]byte{0}) {
		t.Error("more than a window was taken")
	}
	c := newCredit()
	c.give(window)
	if got := c.take(2*window) + 0; got != window {
		t.Errorf("acknowledging what was never sent widened the window to %d", got)
	}
}

func FuzzFrames(f *testing.F) {
	for _, frame := range []*frame{
		{Op: opHello, Version: 1, Session: "s"},
		{Op: opExec, ID: 1, Session: "s", Argv: []string{"true"}, TimeoutMillis: 5},
		{Op: opData, ID: 1, Stream: streamStdout, Data: []byte("data")},
		{Op: opExit, ID: 1, Status: 137, Signal: "SIGKILL"},
	} {
		line, _ := frame.encode()
		f.Add(line)
		f.Add(append(append([]byte("\x00garbage"), line[:len(line)/2]...), line...))
	}
	f.Add(bytes.Repeat([]byte("x"), maxLine+10))
	f.Fuzz(func(t *testing.T, stream []byte) {
		reader := newFrameReader(bytes.NewReader(stream))
		for {
			got, err := reader.next()
			if err != nil {
				break
			}
			line, err := got.encode()
			if err != nil {
				continue // re-encoding can be longer than a frame may be
			}
			again, err := decode(bytes.TrimSpace(line))
			if err != nil || again.Op != got.Op || again.ID != got.ID || !bytes.Equal(again.Data, got.Data) {
				t.Fatalf("%+v became %+v, %v", got, again, err)
			}
		}
		// A good frame after any garbage is found.
		reader = newFrameReader(io.MultiReader(bytes.NewReader(stream), strings.NewReader("\n{\"op\":\"hello\",\"session\":\"after garbage\"}\n")))
		for {
			got, err := reader.next()
			if err != nil {
				t.Fatal("the frame after the garbage was lost")
			}
			if got.Session == "after garbage" {
				return
			}
		}
	})
}

// FuzzClient holds the host against a hostile guest.
func FuzzClient(f *testing.F) {
	f.Add([]byte(`{"op":"data","id":1,"stream":"stdout","data":"AAAA"}` + "\n" + `{"op":"exit","id":1}` + "\n" + `{"op":"exit","id":1}` + "\n"))
	f.Add([]byte(`{"op":"hello","session":"x","version":2}` + "\n" + `{"op":"ack","id":1,"stream":"stdin","bytes":9999999}` + "\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		host, guest := net.Pipe()
		client := NewClient(host)
		go io.Copy(io.Discard, guest)
		go func() {
			io.WriteString(guest, `{"op":"hello","version":2,"session":"s"}`+"\n")
			guest.Write(said)
			guest.Close()
		}()
		_, _ = client.Run(t.Context(), Command{Argv: []string{"true"}, Stdin: strings.NewReader("x")})
		client.Close()
	})
}
