package nbd

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
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
	hasFlags, canFlush, canForce     = 1 << 0, 1 << 2, 1 << 3
	transmission                     = hasFlags | canFlush | canForce
	commandRead, commandWrite        = 0, 1
	commandDisconnect, commandFlush  = 2, 3
	commandForce                     = 1 << 0
	errnoIO, errnoInvalid            = 5, 22

	// longest is the longest request, QEMU's own limit.
	longest = 32 << 20
)

// errProtocol is a client that says what it must not.
var errProtocol = errors.New("the client does not speak NBD as it should")

// client is the server's end of one connection.
type client struct {
	connection net.Conn
	with       func(func(*Disk) error) error
	size       int64

	in  *bufio.Reader
	out *bufio.Writer
}

// serve ends when the client leaves or is cut off.
func (c *client) serve() {
	c.in, c.out = bufio.NewReader(c.connection), bufio.NewWriter(c.connection)
	if transmit, err := c.negotiate(); err != nil || !transmit {
		_ = c.out.Flush() // a last word; whether it arrives is the client's care
		return
	}
	for {
		if err := c.request(); err != nil {
			return
		}
	}
}

// say writes integers in network order, and bytes as they are.
func (c *client) say(values ...any) error {
	for _, v := range values {
		if err := binary.Write(c.out, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) hear(values ...any) error {
	for _, v := range values {
		if err := binary.Read(c.in, binary.BigEndian, v); err != nil {
			return err
		}
	}
	return nil
}

// negotiate goes through the client's options; transmit says whether one of
// them began the transmission.
func (c *client) negotiate() (transmit bool, err error) {
	if err := c.say(uint64(magicServer), uint64(magicOption), uint16(handshakeFixed|handshakeNoZeroes)); err != nil {
		return false, err
	}
	if err := c.out.Flush(); err != nil {
		return false, err
	}
	var flags uint32
	if err := c.hear(&flags); err != nil {
		return false, err
	}
	for {
		var magic uint64
		var option, length uint32
		if err := c.hear(&magic, &option, &length); err != nil {
			return false, err
		}
		if magic != magicOption || length > 4096 {
			return false, errProtocol
		}
		data := make([]byte, length)
		if _, err := io.ReadFull(c.in, data); err != nil {
			return false, err
		}
		done := false
		switch option {
		case optionExport:
			err, done = c.say(uint64(c.size), uint16(transmission)), true
			if err == nil && flags&handshakeNoZeroes == 0 {
				err = c.say(make([]byte, 124))
			}
		case optionInfo, optionGo:
			err, done = c.describe(option, data)
		case optionAbort:
			return false, c.answer(option, answerAck, nil)
		default:
			err = c.answer(option, answerUnsupported, nil)
		}
		if err == nil {
			err = c.out.Flush()
		}
		if err != nil || done {
			return done, err
		}
	}
}

// describe answers the options INFO and GO: there is one export, whatever its
// name.
func (c *client) describe(option uint32, data []byte) (err error, transmit bool) {
	if len(data) < 6 || uint64(len(data)) < 6+uint64(binary.BigEndian.Uint32(data)) {
		return c.answer(option, answerInvalid, nil), false
	}
	export := binary.BigEndian.AppendUint16(nil, infoExport)
	export = binary.BigEndian.AppendUint64(export, uint64(c.size))
	export = binary.BigEndian.AppendUint16(export, transmission)
	blocks := binary.BigEndian.AppendUint16(nil, infoBlockSize)
	for _, size := range []uint32{sector, 4096, longest} { // least, best, most
		blocks = binary.BigEndian.AppendUint32(blocks, size)
	}
	return errors.Join(c.answer(option, answerInfo, export), c.answer(option, answerInfo, blocks), c.answer(option, answerAck, nil)), option == optionGo
}

func (c *client) answer(option, kind uint32, data []byte) error {
	return c.say(uint64(magicAnswer), option, kind, uint32(len(data)), data)
}

// request carries out one request of the transmission.
func (c *client) request() error {
	var r struct {
		Magic          uint32
		Flags, Command uint16
		Cookie, Offset uint64
		Length         uint32
	}
	if err := c.hear(&r); err != nil {
		return err
	}
	if r.Magic != magicRequest || r.Command == commandWrite && r.Length > longest {
		return errProtocol
	}
	var data []byte
	var err error
	at, known := int64(r.Offset), true
	switch r.Command {
	case commandRead:
		if r.Length > longest || r.Offset > uint64(c.size) || uint64(r.Length) > uint64(c.size)-r.Offset {
			err = errOutside
			break
		}
		data = make([]byte, r.Length)
		err = c.with(func(d *Disk) error {
			_, err := d.ReadAt(data, at)
			return err
		})
	case commandWrite:
		content := make([]byte, r.Length)
		if _, err := io.ReadFull(c.in, content); err != nil {
			return err
		}
		err = c.with(func(d *Disk) error { return d.Write(content, at, r.Flags&commandForce != 0) })
	case commandFlush:
		err = c.with(func(d *Disk) error { d.Flush(); return nil })
	case commandDisconnect:
		return io.EOF
	default:
		known = false
	}
	code := uint32(0)
	switch {
	case errors.Is(err, errOff):
		return err // a disk without power does not answer
	case !known || errors.Is(err, errOutside):
		code, data = errnoInvalid, nil
	case err != nil:
		code, data = errnoIO, nil
	}
	return errors.Join(c.say(uint32(magicReply), code, r.Cookie, data), c.out.Flush())
}
