// Package systemdtest is a manager for tests: it answers on a socket as systemd does,
// and does nothing.
package systemdtest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// Manager answers what it is asked.
type Manager struct {
	// Units are what it knows, as ListUnits gives them.
	Units []Unit
	// Results are how jobs end, by unit: "done" where nothing is said, and for "lost"
	// the manager goes away.
	Results map[string]string
	// Properties are what it knows of units: by the object's last part, a slash, and the
	// name. Of what is not there, it says "active".
	Properties map[string]any
	// Late has it pass over the first message of each connection.
	Late bool
	// Refuse are names of errors that a method ends with, by method and how often.
	Refuse map[string][]string

	mu    sync.Mutex
	met   int
	asked []string
	jobs  uint32
}

// Unit is one of them.
type Unit struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	Job                                             uint32
	JobType                                         string
	JobPath                                         dbus.ObjectPath
}

// Of is a unit without a job.
func Of(name, load, active, sub string) Unit {
	return Unit{Name: name, Load: load, Active: active, Sub: sub, Path: "/u", JobPath: "/"}
}

// Serve has it answer at a socket, which is systemd/private in a manager's directory
// below /run, until the test ends.
func (m *Manager) Serve(t *testing.T, socket string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			m.mu.Lock()
			m.met++
			m.mu.Unlock()
			all.Go(func() {
				defer connection.Close()
				_ = m.answer(connection)
			})
		}
	})
}

// Met is how many connections there were so far.
func (m *Manager) Met() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.met
}

// Asked is what it was asked, a line each: the method, what of the arguments is text,
// and settings.
func (m *Manager) Asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.asked...)
}

// answer speaks with one that has come.
//
// https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol
func (m *Manager) answer(connection net.Conn) error {
	in := bufio.NewReader(connection)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		said := "OK 0123456789abcdef0123456789abcdef\r\n"
		switch strings.TrimSpace(strings.TrimPrefix(line, "\x00")) {
		case "BEGIN":
			return m.serve(connection, in)
		case "AUTH":
			said = "REJECTED EXTERNAL\r\n"
		case "NEGOTIATE_UNIX_FD":
			said = "AGREE_UNIX_FD\r\n"
		}
		if _, err := connection.Write([]byte(said)); err != nil {
			return err
		}
	}
}

func (m *Manager) serve(connection net.Conn, in *bufio.Reader) error {
	if m.Late {
		if _, err := dbus.DecodeMessage(in); err != nil {
			return err
		}
	}
	for {
		call, err := dbus.DecodeMessage(in)
		if err != nil {
			return err
		}
		for _, message := range m.messages(call) {
			if message == nil {
				return nil
			}
			if err := message.EncodeTo(connection, binary.LittleEndian); err != nil {
				return err
			}
		}
	}
}

// messages are what it says to a call; nil that it goes away.
func (m *Manager) messages(call *dbus.Message) []*dbus.Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	method, _ := call.Headers[dbus.FieldMember].Value().(string)
	if method == "Ping" {
		return []*dbus.Message{m.reply(call, dbus.TypeMethodReply, "")}
	}
	line := method
	for _, argument := range call.Body {
		switch argument := argument.(type) {
		case string:
			line += " " + argument
		case [][]any:
			for _, setting := range argument {
				if value, ok := setting[len(setting)-1].(dbus.Variant); ok {
					line += fmt.Sprintf(" %v=%v", setting[0], value.Value())
				}
			}
		}
	}
	m.asked = append(m.asked, line)
	if refused := m.Refuse[method]; len(refused) > 0 {
		m.Refuse[method] = refused[1:]
		return []*dbus.Message{m.reply(call, dbus.TypeError, refused[0], "it is refused")}
	}
	switch method {
	case "ListUnits":
		return []*dbus.Message{m.reply(call, dbus.TypeMethodReply, "", append([]Unit{}, m.Units...))}
	case "ListUnitsFiltered":
		states, _ := call.Body[0].([]string)
		return []*dbus.Message{m.reply(call, dbus.TypeMethodReply, "", slices.DeleteFunc(append([]Unit{}, m.Units...), func(u Unit) bool {
			return !slices.Contains(states, u.Active) && !slices.Contains(states, u.Sub)
		}))}
	case "Reload", "ResetFailedUnit":
		return []*dbus.Message{m.reply(call, dbus.TypeMethodReply, "")}
	case "Reexecute":
		return []*dbus.Message{nil}
	case "Get":
		return []*dbus.Message{m.reply(call, dbus.TypeMethodReply, "", dbus.MakeVariant(m.property(call)))}
	case "StartUnit", "StopUnit", "RestartUnit", "ReloadUnit", "StartTransientUnit":
		m.jobs++
		unit, _ := call.Body[0].(string)
		result := m.Results[unit]
		if result == "lost" {
			return []*dbus.Message{nil}
		}
		if result == "" {
			result = "done"
		}
		job := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", m.jobs))
		return []*dbus.Message{m.reply(call, dbus.TypeMethodReply, "", job), m.removed(job, unit, result)}
	}
	return []*dbus.Message{m.reply(call, dbus.TypeError, "org.freedesktop.DBus.Error.UnknownMethod", "no such method")}
}

func (m *Manager) property(call *dbus.Message) any {
	path, _ := call.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	name, _ := call.Body[1].(string)
	if value, ok := m.Properties[string(path[strings.LastIndexByte(string(path), '/')+1:])+"/"+name]; ok {
		return value
	}
	if name == "InvocationID" {
		return []byte{}
	}
	return "active"
}

func (m *Manager) reply(to *dbus.Message, kind dbus.Type, name string, body ...any) *dbus.Message {
	message := m.message(kind, body...)
	message.Headers[dbus.FieldReplySerial] = dbus.MakeVariant(to.Serial())
	if name != "" {
		message.Headers[dbus.FieldErrorName] = dbus.MakeVariant(name)
	}
	return message
}

// removed says that a job has ended.
func (m *Manager) removed(job dbus.ObjectPath, unit, result string) *dbus.Message {
	message := m.message(dbus.TypeSignal, m.jobs, job, unit, result)
	message.Headers[dbus.FieldPath] = dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/systemd1"))
	message.Headers[dbus.FieldInterface] = dbus.MakeVariant("org.freedesktop.systemd1.Manager")
	message.Headers[dbus.FieldMember] = dbus.MakeVariant("JobRemoved")
	return message
}

func (m *Manager) message(kind dbus.Type, body ...any) *dbus.Message {
	message := &dbus.Message{Type: kind, Headers: map[dbus.HeaderField]dbus.Variant{}, Body: body}
	if len(body) > 0 {
		message.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	return message
}
