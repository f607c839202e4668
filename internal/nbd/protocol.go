package nbd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// The protocol is that of https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md,
// as much of it as QEMU needs: the fixed newstyle handshake, simple replies.
const (
	magicServer  = 0x4e42444d41474943 // "NBDMAGIC"
	magicOption  = 0x49484156454f5054 // "IHAVEOPT"
	magicAnswer  = 0x0003e889045565a9
	magicRequest = 0x25609513
	magicReply   = 0x67446698

	handshakeFixed, handshakeNoZeroes = 1 << 0, 1 << 1

	optionExport, optionAbort, optionInfo, optionGo = 1, 2, 6, 7

	answerAck, answerInfo            = 1, 3
	answerUnsupported, answerInvalid = 1<<31 | 1, 1<<31 | 3
	infoExport, infoBlockSize        = 0, 3
	hasFlags, readOnly               = 1 << 0, 1 << 1
	canFlush, canForce               = 1 << 2, 1 << 3
	commandRead, commandWrite        = 0, 1
	commandDisconnect, commandFlush  = 2, 3
	commandForce                     = 1 << 0
	errnoPermission                  = 1
	errnoIO, errnoInvalid            = 5, 22

	// sector is the least that QEMU reads or writes.
	sector = 512
	// longest is the longest request, QEMU's own limit.
	longest = 32 << 20
	// longestOption is more than the name of an export may have.
	longestOption = 4096
	// replyHeader is the length of a reply without content.
	replyHeader = 16
	// readers is how many reads of one client are carried out at a time.
	readers = 8
)

// Disk is what is served, such as a [bytes.Reader] or an [io.SectionReader]. Its
// size, in bytes, does not change, and QEMU takes only multiples of 512. An error
// of ReadAt reaches the client as EIO, without its text.
//
// A disk that is no [Writer] is announced as read-only, and several of its reads
// are carried out at the same time.
type Disk interface {
	io.ReaderAt
	Size() int64
}

// Writer is a disk that can be written. Its requests are carried out one after the
// other, in the order in which they come.
type Writer interface {
	// Write writes within the disk, and does not keep content. With force it
	// returns only when the content would outlive a power cut (FUA).
	Write(content []byte, at int64, force bool) error
	// Flush returns when all that was written would.
	Flush() error
}

var (
	// ErrOutside is a request that lies beyond the disk's end, or otherwise not
	// where the disk can be read or written. The client is told EINVAL.
	ErrOutside = errors.New("outside of the disk")
	// ErrHangUp has a disk's client cut off, without an answer.
	ErrHangUp = errors.New("the disk is gone")

	errProtocol = errors.New("the client does not speak NBD as it should")
	errReadOnly = errors.New("the disk cannot be written")
	errUnknown  = errors.New("unknown command")
)

// client is the server's end of one connection.
type client struct {
	connection io.ReadWriteCloser
	disk       Disk
	writer     Writer // nil if the disk is read-only
	size       uint64

	in      *bufio.Reader
	working sync.WaitGroup // on requests

	replying sync.Mutex // a reply is written whole
	end      sync.Once
	why      error // the connection was closed
}

// Serve serves a disk to one client, and closes the connection. The error is nil
// when the client has left, which it may do between two requests.
func Serve(connection io.ReadWriteCloser, disk Disk) error {
	writer, _ := disk.(Writer)
	c := &client{connection: connection, disk: disk, writer: writer, size: uint64(disk.Size()), in: bufio.NewReader(connection)}
	err := c.negotiate()
	if err == nil {
		err = c.transmit()
	}
	if errors.Is(err, io.EOF) {
		err = nil
		c.working.Wait() // what was asked for before is still answered
	}
	c.hangUp(err)
	c.working.Wait()
	return c.why
}

// hangUp closes the connection, so that whoever reads or writes it comes to an
// end. The first reason is the reason; the others follow from it.
func (c *client) hangUp(why error) {
	c.end.Do(func() {
		c.why = why
		_ = c.connection.Close()
	})
}

// say writes integers in network order, and bytes as they are.
func (c *client) say(values ...any) error {
	var all []byte
	for _, v := range values {
		var err error
		if all, err = binary.Append(all, binary.BigEndian, v); err != nil {
			return err
		}
	}
	_, err := c.connection.Write(all)
	return err
}

// hear reads a value. It is io.EOF if the client has left before it.
func (c *client) hear(value any) error { return binary.Read(c.in, binary.BigEndian, value) }

// midway is the error of a client that leaves in the middle of what it says.
func midway(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// negotiate goes through the client's options until one of them begins the
// transmission.
func (c *client) negotiate() error {
	if err := c.say(uint64(magicServer), uint64(magicOption), uint16(handshakeFixed|handshakeNoZeroes)); err != nil {
		return err
	}
	var flags uint32
	if err := c.hear(&flags); err != nil {
		return err
	}
	for {
		var o struct {
			Magic          uint64
			Option, Length uint32
		}
		if err := c.hear(&o); err != nil {
			return err
		}
		if o.Magic != magicOption || o.Length > longestOption {
			return errProtocol
		}
		data := make([]byte, o.Length)
		if _, err := io.ReadFull(c.in, data); err != nil {
			return midway(err)
		}
		transmit := false
		var err error
		switch o.Option {
		case optionExport:
			zeroes := make([]byte, 124)
			if flags&handshakeNoZeroes != 0 {
				zeroes = nil
			}
			return c.say(c.size, c.transmission(), zeroes)
		case optionInfo, optionGo:
			transmit, err = c.describe(o.Option, data)
		case optionAbort:
			_ = c.answer(o.Option, answerAck, nil) // a last word; whether it arrives is the client's care
			return io.EOF
		default:
			err = c.answer(o.Option, answerUnsupported, nil)
		}
		if err != nil || transmit {
			return err
		}
	}
}

// transmission is what the disk can do.
func (c *client) transmission() uint16 {
	if c.writer == nil {
		return hasFlags | readOnly
	}
	return hasFlags | canFlush | canForce
}

// describe answers the options INFO and GO: there is one export, whatever its
// name.
func (c *client) describe(option uint32, data []byte) (transmit bool, err error) {
	if len(data) < 6 || uint64(len(data)) < 6+uint64(binary.BigEndian.Uint32(data)) {
		return false, c.answer(option, answerInvalid, nil)
	}
	export := binary.BigEndian.AppendUint16(nil, infoExport)
	export = binary.BigEndian.AppendUint64(export, c.size)
	export = binary.BigEndian.AppendUint16(export, c.transmission())
	blocks := binary.BigEndian.AppendUint16(nil, infoBlockSize)
	for _, size := range []uint32{sector, 4096, longest} { // least, best, most
		blocks = binary.BigEndian.AppendUint32(blocks, size)
	}
	return option == optionGo, errors.Join(c.answer(option, answerInfo, export), c.answer(option, answerInfo, blocks), c.answer(option, answerAck, nil))
}

func (c *client) answer(option, kind uint32, data []byte) error {
	return c.say(uint64(magicAnswer), option, kind, uint32(len(data)), data)
}

// request is what the client says in the transmission. The content of a write
// comes behind it.
type request struct {
	Magic          uint32
	Flags, Command uint16
	Cookie, Offset uint64
	Length         uint32
}

// transmit hears requests, and has them carried out.
func (c *client) transmit() error {
	workers := readers
	if c.writer != nil {
		workers = 1
	}
	// Who has a buffer may work. It is taken before a request is heard: where there
	// is but one, the request before has been answered by then.
	buffers := make(chan []byte, workers)
	for range workers {
		buffers <- make([]byte, replyHeader)
	}
	for {
		buffer := <-buffers
		if buffer == nil {
			return c.why
		}
		var r request
		if err := c.hear(&r); err != nil {
			return err
		}
		if r.Magic != magicRequest || r.Command == commandWrite && r.Length > longest {
			return errProtocol
		}
		if r.Command == commandDisconnect {
			return io.EOF
		}
		refusal := c.check(r)
		if refusal == nil && len(buffer) < replyHeader+int(r.Length) {
			buffer = make([]byte, replyHeader+r.Length)
		}
		if r.Command == commandWrite {
			var err error
			if refusal == nil {
				_, err = io.ReadFull(c.in, buffer[replyHeader:][:r.Length])
			} else {
				_, err = c.in.Discard(int(r.Length))
			}
			if err != nil {
				return midway(err)
			}
		}
		c.working.Go(func() {
			if err := c.carryOut(r, refusal, buffer); err != nil {
				c.hangUp(err)
				buffer = nil // nothing more is carried out, although it may have been sent
			}
			buffers <- buffer
		})
	}
}

// check refuses what no disk is asked.
func (c *client) check(r request) error {
	switch r.Command {
	case commandRead:
	case commandWrite:
		if c.writer == nil {
			return errReadOnly
		}
	case commandFlush:
		if c.writer == nil {
			return errUnknown
		}
	default:
		return errUnknown
	}
	if r.Length > longest || r.Offset > c.size || uint64(r.Length) > c.size-r.Offset {
		return ErrOutside
	}
	return nil
}

// carryOut does what is asked for, unless it is refused, and answers. The buffer
// has the content behind room for the reply's header, so that a reply is written
// at once from where the disk was read to.
func (c *client) carryOut(r request, refusal error, buffer []byte) error {
	err, reply := refusal, buffer[:replyHeader]
	if err == nil {
		content := buffer[replyHeader:][:r.Length]
		switch r.Command {
		case commandRead:
			_, err = io.ReadFull(io.NewSectionReader(c.disk, int64(r.Offset), int64(r.Length)), content)
			if err == nil {
				reply = buffer[:replyHeader+r.Length]
			}
		case commandWrite:
			err = c.writer.Write(content, int64(r.Offset), r.Flags&commandForce != 0)
		case commandFlush:
			err = c.writer.Flush()
		}
	}
	if errors.Is(err, ErrHangUp) {
		return err
	}
	binary.BigEndian.PutUint32(reply, magicReply)
	binary.BigEndian.PutUint32(reply[4:], errno(err))
	binary.BigEndian.PutUint64(reply[8:], r.Cookie)
	c.replying.Lock()
	defer c.replying.Unlock()
	_, err = c.connection.Write(reply)
	return err
}

// errno is how an error is told to the client.
func errno(err error) uint32 {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReadOnly):
		return errnoPermission
	case errors.Is(err, ErrOutside), errors.Is(err, errUnknown):
		return errnoInvalid
	default:
		return errnoIO
	}
}
