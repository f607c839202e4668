package nbd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func serveTest(t *testing.T, d *Disk) *Server {
	t.Helper()
	s, err := Serve(t.TempDir(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestQEMUAgrees copies an image onto the disk and back with qemu-img.
func TestQEMUAgrees(t *testing.T) {
	const size = 8 << 20
	dir := t.TempDir()
	image := make([]byte, size)
	dice := rand.New(rand.NewPCG(1, 1))
	for i := range 100 {
		image[dice.IntN(size)] = byte(i)
	}
	file, base := filepath.Join(dir, "image"), filepath.Join(dir, "base")
	if err := errors.Join(os.WriteFile(file, image, 0o600), os.WriteFile(base, make([]byte, size), 0o600)); err != nil {
		t.Fatal(err)
	}
	d, err := Open(base)
	if err != nil {
		t.Fatal(err)
	}
	s := serveTest(t, d)
	qemu := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("qemu-img", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("qemu-img %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := qemu("info", "-f", "raw", s.URL()); !strings.Contains(out, "8 MiB (8388608 bytes)") {
		t.Errorf("qemu-img info says\n%s", out)
	}
	qemu("convert", "-n", "-f", "raw", "-O", "raw", file, s.URL())
	qemu("compare", "-f", "raw", "-F", "raw", file, s.URL())
	// qemu-img flushes before it ends.
	if loss := s.Disk().Cut(1); loss.Writes != 0 || !bytes.Equal(content(t, s.Disk()), image) {
		t.Errorf("after the copy: %s", loss)
	}
	if below, err := os.ReadFile(base); err != nil || !bytes.Equal(below, make([]byte, size)) {
		t.Errorf("the image below the disk was written (%v)", err)
	}

	s.PullOut()
	if out, err := exec.Command("qemu-img", "info", "-f", "raw", s.URL()).CombinedOutput(); err == nil {
		t.Errorf("a disk that is pulled out can be read\n%s", out)
	}
	s.PlugIn(d)
	qemu("compare", "-f", "raw", "-F", "raw", file, s.URL())
}

// What of the protocol a client says and hears here.
const (
	magicOption, optionExport  = 0x49484156454f5054, 1
	magicRequest, magicReply   = 0x25609513, 0x67446698
	commandRead, commandWrite  = 0, 1
	commandFlush, commandForce = 3, 1 << 0
	errnoInvalid               = 22
)

// dial speaks the protocol up to the transmission.
func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	send(t, c, uint32(3), uint64(magicOption), uint32(optionExport), uint32(0))
	if _, err := io.ReadFull(c, make([]byte, 18+10)); err != nil {
		t.Fatal(err)
	}
	return c
}

func send(t *testing.T, c net.Conn, values ...any) {
	t.Helper()
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Write(b.Bytes()); err != nil {
		t.Fatal(err)
	}
}

func request(t *testing.T, c net.Conn, flags, command uint16, at uint64, n int, data []byte) (code uint32) {
	t.Helper()
	send(t, c, uint32(magicRequest), flags, command, uint64(42), at, uint32(n), data)
	var reply struct {
		Magic, Code uint32
		Cookie      uint64
	}
	if err := binary.Read(c, binary.BigEndian, &reply); err != nil {
		t.Fatal(err)
	}
	if reply.Magic != magicReply || reply.Cookie != 42 {
		t.Fatalf("the reply is %+v", reply)
	}
	return reply.Code
}

func TestForcedWritesAndFlushesComeThrough(t *testing.T) {
	d := newTestDisk(t)
	s := serveTest(t, d)
	c := dial(t, s)
	for _, code := range []uint32{
		request(t, c, 0, commandWrite, 0, sector, fill(1, 1)),
		request(t, c, 0, commandFlush, 0, 0, nil),
		request(t, c, commandForce, commandWrite, sector, sector, fill(2, 1)),
		request(t, c, 0, commandWrite, 2*sector, sector, fill(3, 1)),
	} {
		if code != 0 {
			t.Fatalf("error %d", code)
		}
	}
	if code := request(t, c, 0, commandWrite, testSectors*sector, sector, fill(1, 1)); code != errnoInvalid {
		t.Errorf("a write beyond the end: %d", code)
	}
	if code := request(t, c, 0, commandRead, 1<<63, sector, nil); code != errnoInvalid {
		t.Errorf("a read far beyond the end: %d", code)
	}
	if code := request(t, c, 0, 99, 0, 0, nil); code != errnoInvalid {
		t.Errorf("an unknown command: %d", code)
	}
	after := s.PullOut()
	if loss := after.Cut(0); loss.Writes != 1 {
		t.Errorf("one write was not flushed, and the cut says %s", loss)
	}
	if all := content(t, after); all[0] != 1 || all[sector] != 2 {
		t.Error("a flushed or a forced write is lost")
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection outlives the power")
	}
}
