package nbd

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

const testSize = 64 * sector

func fill(b byte, sectors int) []byte { return bytes.Repeat([]byte{b}, sectors*sector) }

// numbered is a content in which each sector has its number.
func numbered(size int) []byte {
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i / sector)
	}
	return content
}

// memory is a disk that can be written, by whole sectors, and tells how it was used.
type memory struct {
	content []byte
	told    []string
}

func (m *memory) Size() int64 { return int64(len(m.content)) }

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	m.told = append(m.told, fmt.Sprintf("read %d+%d", at, len(p)))
	return bytes.NewReader(m.content).ReadAt(p, at)
}

func (m *memory) Write(content []byte, at int64, force bool) error {
	if at%sector != 0 || len(content)%sector != 0 {
		return fmt.Errorf("not by sectors: %w", ErrOutside)
	}
	m.told = append(m.told, fmt.Sprintf("write %d+%d %t", at, len(content), force))
	copy(m.content[at:], content)
	return nil
}

func (m *memory) Flush() error {
	m.told = append(m.told, "flush")
	return nil
}

// reads is a read-only disk that is what a test makes of it.
type reads func(p []byte, at int64) (int, error)

func (r reads) ReadAt(p []byte, at int64) (int, error) { return r(p, at) }
func (reads) Size() int64                              { return testSize }

// pack is what values are on the wire.
func pack(values ...any) []byte {
	var all []byte
	for _, v := range values {
		var err error
		if all, err = binary.Append(all, binary.BigEndian, v); err != nil {
			panic(err)
		}
	}
	return all
}

func option(kind uint32, data ...byte) []byte {
	return pack(uint64(magicOption), kind, uint32(len(data)), data)
}

func answered(option, kind uint32, data ...byte) []byte {
	return pack(uint64(magicAnswer), option, kind, uint32(len(data)), data)
}

func asked(flags, command uint16, cookie, at uint64, length uint32, content ...byte) []byte {
	return pack(request{magicRequest, flags, command, cookie, at, length}, content)
}

func replied(code uint32, cookie uint64, content ...byte) []byte {
	return pack(uint32(magicReply), code, cookie, content)
}

// words are what one end says, in this order.
type words = [][]byte

var (
	greeting = pack(uint64(magicServer), uint64(magicOption), uint16(handshakeFixed|handshakeNoZeroes))
	fixed    = pack(uint32(handshakeFixed | handshakeNoZeroes))
	begin    = slices.Concat(fixed, option(optionExport)) // the shortest way to the transmission
)

// begun is what a client hears that says begin.
func begun(flags uint16) []byte { return pack(greeting, uint64(testSize), flags) }

const (
	flagsRead  = 1 | 2     // NBD_FLAG_HAS_FLAGS, READ_ONLY
	flagsWrite = 1 | 4 | 8 // NBD_FLAG_HAS_FLAGS, SEND_FLUSH, SEND_FUA
)

// guest is the other end of a connection, in a bubble of synctest, where what would
// take for ever fails.
type guest struct {
	connection net.Conn
	both       sync.WaitGroup

	heard  bytes.Buffer
	served bool  // until the end
	why    error // Serve returned
}

func dial(disk Disk) *guest {
	ours, theirs := net.Pipe()
	g := &guest{connection: theirs}
	g.both.Go(func() { g.why, g.served = Serve(ours, disk), true })
	g.both.Go(func() { _, _ = io.Copy(&g.heard, theirs) })
	return g
}

// say says one word, and hears all that there is to hear after it.
func (g *guest) say(word ...[]byte) {
	_, _ = g.connection.Write(slices.Concat(word...)) // of which the server may take only a part
	synctest.Wait()
}

func (g *guest) leave() {
	synctest.Wait()
	g.connection.Close()
	g.both.Wait()
}

// expect holds a conversation against what is expected of it.
func expect(t *testing.T, disk Disk, said, heard words, why error) {
	synctest.Test(t, func(t *testing.T) {
		g := dial(disk)
		for _, word := range said {
			g.say(word)
		}
		g.leave()
		if want := slices.Concat(heard...); !bytes.Equal(g.heard.Bytes(), want) {
			t.Errorf("heard\n%x, not\n%x", g.heard.Bytes(), want)
		}
		if !errors.Is(g.why, why) {
			t.Errorf("it ended with %v, not %v", g.why, why)
		}
	})
}

func TestHandshake(t *testing.T) {
	described := func(option uint32, flags uint16) []byte {
		return slices.Concat(
			answered(option, answerInfo, pack(uint16(0), uint64(testSize), flags)...),
			answered(option, answerInfo, pack(uint16(3), uint32(512), uint32(4096), uint32(32<<20))...),
			answered(option, answerAck))
	}
	anyName := pack(uint32(3), []byte("any"), uint16(0))
	for _, test := range []struct {
		name        string
		written     bool
		said, heard words
		err         error
	}{
		{"a read-only export by its name", false,
			words{fixed, option(optionExport, []byte("any")...)},
			words{greeting, pack(uint64(testSize), uint16(flagsRead))}, nil},
		{"an export by its name that can be written", true,
			words{fixed, option(optionExport)},
			words{greeting, pack(uint64(testSize), uint16(flagsWrite))}, nil},
		{"with the zeroes of old", false,
			words{pack(uint32(handshakeFixed)), option(optionExport)},
			words{greeting, pack(uint64(testSize), uint16(flagsRead), make([]byte, 124))}, nil},
		{"asked about, then begun", false,
			words{fixed, option(optionInfo, anyName...), option(optionGo, anyName...), asked(0, commandRead, 7, 0, 1)},
			words{greeting, described(optionInfo, flagsRead), described(optionGo, flagsRead), replied(0, 7, 0)}, nil},
		{"begun, to be written", true,
			words{fixed, option(optionGo, anyName...)},
			words{greeting, described(optionGo, flagsWrite)}, nil},
		{"an unknown option, then the end", false,
			words{fixed, option(99, []byte("data")...), option(optionAbort), option(optionInfo, anyName...)},
			words{greeting, answered(99, answerUnsupported), answered(optionAbort, answerAck)}, nil},
		{"a name longer than its option", false,
			words{fixed, option(optionGo, pack(uint32(1<<32-1), uint16(0))...), option(optionGo, 0), option(optionGo, anyName...)},
			words{greeting, answered(optionGo, answerInvalid), answered(optionGo, answerInvalid), described(optionGo, flagsRead)}, nil},
		{"no word", false, nil, words{greeting}, nil},
		{"gone within the flags", false, words{fixed[:2]}, words{greeting}, io.ErrUnexpectedEOF},
		{"gone within an option", false, words{fixed, option(optionGo)[:12]}, words{greeting}, io.ErrUnexpectedEOF},
		{"gone before an option's data", false, words{fixed, option(optionGo, anyName...)[:16]}, words{greeting}, io.ErrUnexpectedEOF},
		{"an option without its magic", false, words{fixed, make([]byte, 16)}, words{greeting}, errProtocol},
		{"an option that has no end", false, words{fixed, option(optionGo, make([]byte, longestOption+1)...)}, words{greeting}, errProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			var disk Disk = bytes.NewReader(numbered(testSize))
			if test.written {
				disk = &memory{content: numbered(testSize)}
			}
			expect(t, disk, test.said, test.heard, test.err)
		})
	}
}

func TestReadOnlyDisk(t *testing.T) {
	const end = testSize - sector
	for _, test := range []struct {
		name        string
		said, heard words
		err         error
	}{
		{"reads", words{asked(0, commandRead, 1, 2*sector, 2*sector)}, words{replied(0, 1, slices.Concat(fill(2, 1), fill(3, 1))...)}, nil},
		{"a read up to the end", words{asked(0, commandRead, 1, end, sector)}, words{replied(0, 1, fill(63, 1)...)}, nil},
		{"a read of everything", words{asked(0, commandRead, 1, 0, testSize)}, words{replied(0, 1, numbered(testSize)...)}, nil},
		{"a read of nothing", words{asked(0, commandRead, 1, testSize, 0)}, words{replied(0, 1)}, nil},
		{"a read beyond the end", words{asked(0, commandRead, 1, end, 2*sector)}, words{replied(errnoInvalid, 1)}, nil},
		{"a read far beyond the end", words{asked(0, commandRead, 1, 1<<63, sector)}, words{replied(errnoInvalid, 1)}, nil},
		{"a read whose end is no number", words{asked(0, commandRead, 1, 1<<64-sector, sector)}, words{replied(errnoInvalid, 1)}, nil},
		{"a read longer than any", words{asked(0, commandRead, 1, 0, 1<<32-1)}, words{replied(errnoInvalid, 1)}, nil},
		{"a write", words{asked(0, commandWrite, 1, 0, sector, fill(9, 1)...)}, words{replied(errnoPermission, 1)}, nil},
		{"a write beyond the end", words{asked(commandForce, commandWrite, 1, 1<<63, sector, fill(9, 1)...)}, words{replied(errnoPermission, 1)}, nil},
		{"a flush", words{asked(0, commandFlush, 1, 0, 0)}, words{replied(errnoInvalid, 1)}, nil},
		{"an unknown command", words{asked(0, 99, 1, 0, 1<<32-1)}, words{replied(errnoInvalid, 1)}, nil},
		{"a last word, and another", words{asked(0, commandDisconnect, 1, 0, 0), asked(0, commandRead, 2, 0, 1)}, nil, nil},
		{"gone within a request", words{asked(0, commandRead, 1, 0, sector)[:27]}, nil, io.ErrUnexpectedEOF},
		{"gone within what was to be written", words{asked(0, commandWrite, 1, 0, sector, 9)}, nil, io.ErrUnexpectedEOF},
		{"gone before what was to be written", words{asked(0, commandWrite, 1, 0, sector)}, nil, io.ErrUnexpectedEOF},
		{"a request without its magic", words{make([]byte, 28)}, nil, errProtocol},
		{"a write longer than any", words{asked(0, commandWrite, 1, 0, longest+1)}, nil, errProtocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			said, heard := append(words{begin}, test.said...), append(words{begun(flagsRead)}, test.heard...)
			if test.heard != nil { // where the request ended, the next one begins
				said, heard = append(said, asked(0, commandRead, 77, sector, 1)), append(heard, replied(0, 77, 1))
			}
			expect(t, bytes.NewReader(numbered(testSize)), said, heard, test.err)
		})
	}
}

func TestWrittenDisk(t *testing.T) {
	disk := &memory{content: numbered(testSize)}
	expect(t, disk, words{begin,
		asked(0, commandWrite, 1, sector, 2*sector, fill(9, 2)...),
		asked(0, commandRead, 2, 2*sector, 2*sector),
		asked(commandForce, commandWrite, 3, testSize-sector, sector, fill(8, 1)...),
		asked(0, commandFlush, 4, 0, 0),
		asked(0, commandWrite, 5, testSize-sector, 2*sector, fill(7, 2)...),
		asked(0, commandWrite, 6, 1, sector, fill(7, 1)...),
		asked(0, 99, 7, 0, 0),
		asked(0, commandRead, 8, testSize-1, 1),
		asked(0, commandDisconnect, 9, 0, 0),
	}, words{begun(flagsWrite),
		replied(0, 1),
		replied(0, 2, slices.Concat(fill(9, 1), fill(3, 1))...),
		replied(0, 3),
		replied(0, 4),
		replied(errnoInvalid, 5),
		replied(errnoInvalid, 6),
		replied(errnoInvalid, 7),
		replied(0, 8, 8),
	}, nil)
	want := []string{"write 512+1024 false", "read 1024+1024", "write 32256+512 true", "flush", "read 32767+1"}
	if !slices.Equal(disk.told, want) {
		t.Errorf("the disk was asked to %q, not %q", disk.told, want)
	}
}

func TestErrorsOfTheDisk(t *testing.T) {
	for _, test := range []struct {
		name  string
		disk  reads
		heard []byte
		err   error
	}{
		{"of its own", func([]byte, int64) (int, error) { return 0, errors.New("sand") }, replied(errnoIO, 1), nil},
		{"outside", func([]byte, int64) (int, error) { return 0, fmt.Errorf("hole: %w", ErrOutside) }, replied(errnoInvalid, 1), nil},
		{"an early end", func(p []byte, _ int64) (int, error) { return len(p) - 1, io.EOF }, replied(errnoIO, 1), nil},
		{"an end in time", func(p []byte, _ int64) (int, error) { return copy(p, fill(1, 1)), io.EOF }, replied(0, 1, fill(1, 1)...), nil},
		{"gone", func([]byte, int64) (int, error) { return 0, fmt.Errorf("power: %w", ErrHangUp) }, nil, ErrHangUp},
	} {
		t.Run(test.name, func(t *testing.T) {
			expect(t, test.disk, words{begin, asked(0, commandRead, 1, 0, sector)}, words{begun(flagsRead), test.heard}, test.err)
		})
	}
}

func TestReadsOvertakeASlowOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		var reading atomic.Int32
		g := dial(reads(func(p []byte, at int64) (int, error) {
			if reading.Add(1); at == 0 {
				<-slow
			}
			return copy(p, fill(byte(at/sector), 1)), nil
		}))
		g.say(begin)
		said := words{asked(0, commandRead, 1, 0, sector), asked(0, commandRead, 2, sector, sector)}
		for range 20 {
			said = append(said, asked(0, commandRead, 1, 0, sector))
		}
		g.say(append(said, asked(0, commandDisconnect, 0, 0, 0))...)
		early := slices.Concat(begun(flagsRead), replied(0, 2, fill(1, 1)...))
		if !bytes.Equal(g.heard.Bytes(), early) {
			t.Errorf("while reads take long, heard\n%x", g.heard.Bytes())
		}
		if n := reading.Load() - 1; n != readers {
			t.Errorf("%d reads are carried out at a time", n)
		}
		close(slow)
		synctest.Wait()
		if !g.served || g.why != nil {
			t.Errorf("who asked to leave is still served, or ended with %v", g.why)
		}
		late := bytes.Repeat(replied(0, 1, fill(0, 1)...), 21)
		if !bytes.Equal(g.heard.Bytes(), append(early, late...)) {
			t.Error("who asked to leave was not given first what it had asked for")
		}
		g.leave()
	})
}

// slowDisk is a disk whose writes wait, and may end badly.
type slowDisk struct {
	*memory
	end chan error
}

func (d slowDisk) Write(content []byte, at int64, force bool) error {
	return errors.Join(d.memory.Write(content, at, force), <-d.end)
}

func TestNothingOvertakesAWrite(t *testing.T) {
	for name, test := range map[string]struct {
		end  error
		told []string
	}{
		"that succeeds": {nil, []string{"write 0+512 false", "read 0+1", "flush"}},
		"that fails":    {errors.New("sand"), []string{"write 0+512 false", "read 0+1", "flush"}},
		"that was the last, although more had been sent": {ErrHangUp, []string{"write 0+512 false"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk := slowDisk{&memory{content: make([]byte, testSize)}, make(chan error)}
				g := dial(disk)
				g.say(begin)
				g.say(asked(0, commandWrite, 1, 0, sector, fill(1, 1)...), asked(0, commandRead, 2, 0, 1), asked(0, commandFlush, 3, 0, 0))
				if len(disk.told) != 1 {
					t.Errorf("before the write was done, the disk was asked to %q", disk.told)
				}
				disk.end <- test.end
				synctest.Wait()
				if !slices.Equal(disk.told, test.told) {
					t.Errorf("the disk was asked to %q, not %q", disk.told, test.told)
				}
				if gone := errors.Is(test.end, ErrHangUp); gone != g.served || gone != errors.Is(g.why, ErrHangUp) {
					t.Errorf("the client waits: %t; it ended with %v", !g.served, g.why)
				}
				g.leave()
			})
		})
	}
}

// TestQEMUReads has qemu-img copy a read-only disk, several reads at a time.
func TestQEMUReads(t *testing.T) {
	const size = 8 << 20
	dir := t.TempDir()
	file, out, socket := filepath.Join(dir, "image"), filepath.Join(dir, "copy"), filepath.Join(dir, "nbd")
	content := numbered(size)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				if err := Serve(c, bytes.NewReader(content)); err != nil {
					t.Errorf("QEMU was served until: %v", err)
				}
			})
		}
	})
	url := "nbd+unix:///?socket=" + socket
	if says, err := exec.Command("qemu-img", "convert", "-m", "16", "-W", "-f", "raw", "-O", "raw", url, out).CombinedOutput(); err != nil {
		t.Errorf("qemu-img cannot read the disk: %v\n%s", err, says)
	}
	if copied, err := os.ReadFile(out); err != nil || !bytes.Equal(copied, content) {
		t.Errorf("the copy differs (%v)", err)
	}
	if says, err := exec.Command("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", file, url).CombinedOutput(); err == nil {
		t.Errorf("qemu-img could write on a read-only disk\n%s", says)
	}
	listener.Close()
	serving.Wait()
}

// FuzzServe has a client say anything, and leave: Serve ends, no request costs more
// than the longest, and what cannot be written is as it was.
func FuzzServe(f *testing.F) {
	f.Add(slices.Concat(fixed, option(optionGo, make([]byte, 6)...), asked(0, commandRead, 1, sector, 2*sector), asked(0, commandDisconnect, 0, 0, 0)))
	f.Add(slices.Concat(begin, asked(commandForce, commandWrite, 1, 0, sector, fill(1, 1)...), asked(0, commandFlush, 2, 0, 0), asked(0, commandRead, 3, 0, testSize)))
	f.Add(slices.Concat(begin, asked(0, commandWrite, 1, 0, longest), asked(0, commandRead, 2, 1<<63, 1<<32-1)))
	f.Add(slices.Concat(fixed, option(optionInfo), option(99), option(optionAbort)))
	f.Fuzz(func(t *testing.T, said []byte) {
		content := numbered(testSize)
		for _, disk := range []Disk{bytes.NewReader(content), &memory{content: numbered(testSize)}} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			synctest.Test(t, func(*testing.T) {
				ours, theirs := net.Pipe()
				var both sync.WaitGroup
				both.Go(func() { _ = Serve(ours, disk) })
				both.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
				_, _ = theirs.Write(said)
				theirs.Close()
				both.Wait()
			})
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > longest {
				t.Errorf("%d bytes were allocated", allocated)
			}
		}
		if !bytes.Equal(content, numbered(testSize)) {
			t.Error("a read-only disk was written")
		}
	})
}
