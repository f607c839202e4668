package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// kept is a connection that several questions share.
type kept struct {
	mu         sync.Mutex
	connection *dbus.Conn // nil: none is open
}

// Keep gives the manager with one connection for all that it is asked, which is made
// when it is first needed, and anew where it broke: a greeting takes longer than most
// answers. HangUp ends it.
func (m Manager) Keep() Manager {
	m.kept = &kept{}
	return m
}

// HangUp ends the connection that is kept, if there is one.
func (m Manager) HangUp() {
	if m.kept == nil {
		return
	}
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.connection != nil {
		_ = m.kept.connection.Close()
		m.kept.connection = nil
	}
}

// connect gives a connection; whoever has it leaves it in the end.
func (m Manager) connect(ctx context.Context) (connection *dbus.Conn, leave func(), err error) {
	if m.kept == nil {
		connection, err = m.dial(ctx, ctx)
		return connection, func() { _ = connection.Close() }, err
	}
	m.kept.mu.Lock()
	defer m.kept.mu.Unlock()
	if m.kept.connection == nil || !m.kept.connection.Connected() {
		if connection, err = m.dial(ctx, context.WithoutCancel(ctx)); err != nil {
			return nil, nil, err
		}
		m.kept.connection = connection
	}
	return m.kept.connection, func() {}, nil
}

// dial opens a connection, which ends with lives.
func (m Manager) dial(ctx, lives context.Context) (*dbus.Conn, error) {
	socket := filepath.Join(m.Runtime, "systemd/private")
	if m.User != nil {
		socket = filepath.Join(m.Runtime, "user", fmt.Sprint(m.User.UID), "systemd/private")
	}
	connection, err := dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(socket), dbus.WithContext(lives))
	if err == nil {
		if err = connection.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))}); err == nil {
			err = greet(ctx, connection)
		}
		if err != nil {
			err = errors.Join(err, connection.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("ask the manager%s: %w", m.of(), err)
	}
	return connection, nil
}

// greet waits until the manager answers. What reaches it in one piece with the end of
// the authentication it looks at only when more comes: so it is asked until it says
// something, and from then on there is nothing left over.
func greet(ctx context.Context, connection *dbus.Conn) error {
	const patience = 4 * time.Millisecond
	answered := make(chan *dbus.Call, 64)
	for wait := patience; ; wait *= 2 {
		connection.Object(destination, managerPath).GoWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0, answered)
		select {
		case call := <-answered:
			return call.Err
		case <-time.After(wait):
		}
	}
}
