package systemd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Manager is one running systemd, reached by its own socket: a bus that was stopped
// is no obstacle. Only root and the user whose manager it is are let in.
type Manager struct {
	User    *User  // nil: the system's
	Runtime string // where /run is mounted

	kept *kept // nil: whatever it is asked has a connection of its own
}

// The names of org.freedesktop.systemd1(5).
const (
	destination      = "org.freedesktop.systemd1"
	managerPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface = destination + ".Manager"
	unitInterface    = destination + ".Unit"
	serviceInterface = destination + ".Service"
	getProperty      = "org.freedesktop.DBus.Properties.Get"
)

// of says whose manager it is, when it is not the system's.
func (m Manager) of() string {
	if m.User == nil {
		return ""
	}
	return " of " + m.User.Name
}

// call has the manager do one thing, and gives its answer.
func (m Manager) call(ctx context.Context, of dbus.ObjectPath, method string, arguments []any, answer ...any) error {
	connection, leave, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return errors.Join(ctx.Err(), connection.Object(destination, of).CallWithContext(ctx, method, 0, arguments...).Store(answer...))
}

// Unit is what a manager says of one of its units.
type Unit struct {
	Name   string
	Load   string
	Active string
	Sub    string
}

// listed is a unit as ListUnits gives it.
type listed struct {
	Name, Description, Load, Active, Sub, Following string
	Path                                            dbus.ObjectPath
	Job                                             uint32
	JobType                                         string
	JobPath                                         dbus.ObjectPath
}

// Units lists the units that are not inactive, by name. A unit that is another's
// second name for the same is none of its own.
func (m Manager) Units(ctx context.Context) ([]Unit, error) { return m.list(ctx, "ListUnits") }

// Failed lists the units that failed, or fall over again and again.
func (m Manager) Failed(ctx context.Context) ([]Unit, error) {
	return m.list(ctx, "ListUnitsFiltered", []string{"failed", "auto-restart"}) // of any kind of state
}

func (m Manager) list(ctx context.Context, method string, arguments ...any) ([]Unit, error) {
	var all []listed
	if err := m.call(ctx, managerPath, managerInterface+"."+method, arguments, &all); err != nil {
		return nil, fmt.Errorf("list units: %w", err)
	}
	var units []Unit
	for _, u := range all {
		if u.Active != "inactive" && u.Following == "" {
			units = append(units, Unit{u.Name, u.Load, u.Active, u.Sub})
		}
	}
	slices.SortFunc(units, func(a, b Unit) int { return strings.Compare(a.Name, b.Name) })
	return units, nil
}

// ActiveState is what a unit is, such as "active"; "inactive" also when there is no
// such unit.
func (m Manager) ActiveState(ctx context.Context, unit string) (state string, err error) {
	return state, m.property(ctx, unit, unitInterface, "ActiveState", &state)
}

// Invocation names the run of a unit; "" when it does not run.
func (m Manager) Invocation(ctx context.Context, unit string) (string, error) {
	var id []byte
	err := m.property(ctx, unit, unitInterface, "InvocationID", &id)
	return fmt.Sprintf("%x", id), err
}

// Types gives the Type= of those of some units that are services (systemd.service(5)):
// it says what their start proves.
func (m Manager) Types(ctx context.Context, units []string) (map[string]string, error) {
	services := slices.DeleteFunc(slices.Clone(units), func(name string) bool { return !strings.HasSuffix(name, ".service") })
	if len(services) == 0 {
		return nil, nil
	}
	connection, leave, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	calls := make([]*dbus.Call, len(services))
	for i, name := range services { // all are asked before the first answer is waited for
		calls[i] = connection.Object(destination, unitPath(name)).GoWithContext(ctx, getProperty, 0, nil, serviceInterface, "Type")
	}
	types := map[string]string{}
	for i, name := range services {
		var there dbus.Variant
		call := <-calls[i].Done
		if err := errors.Join(ctx.Err(), call.Store(&there)); err != nil {
			return nil, fmt.Errorf("ask for Type of %s: %w", name, err)
		}
		types[name], _ = there.Value().(string)
	}
	return types, nil
}

func (m Manager) property(ctx context.Context, of, in, property string, value any) error {
	var there dbus.Variant
	err := m.call(ctx, unitPath(of), getProperty, []any{in, property}, &there)
	if err == nil {
		err = there.Store(value)
	}
	if err != nil {
		return fmt.Errorf("ask for %s of %s: %w", property, of, err)
	}
	return nil
}

// unitPath is the object of a unit: its name, of which all but letters and digits, and
// a digit in the first place, is escaped.
func unitPath(name string) dbus.ObjectPath {
	var path strings.Builder
	path.WriteString(string(managerPath) + "/unit/")
	for i, b := range []byte(name) {
		switch {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', i > 0 && b >= '0' && b <= '9':
			path.WriteByte(b)
		default:
			fmt.Fprintf(&path, "_%02x", b)
		}
	}
	return dbus.ObjectPath(path.String())
}

// ResetFailed forgets that units failed; so starting them again is not too often. Of
// units that nobody knows there is nothing to forget.
func (m Manager) ResetFailed(ctx context.Context, units []string) error {
	for _, u := range units {
		if err := m.call(ctx, managerPath, managerInterface+".ResetFailedUnit", []any{u}); err != nil && !unknown(err) {
			return fmt.Errorf("reset %s: %w", u, err)
		}
	}
	return nil
}

// unknown tells whether the manager knows no unit of such a name.
func unknown(err error) bool {
	var said dbus.Error
	return errors.As(err, &said) && said.Name == destination+".NoSuchUnit"
}

// Reload has the manager read its units again.
func (m Manager) Reload(ctx context.Context) error {
	defer m.HangUp() // it has news of every unit now
	if err := m.call(ctx, managerPath, managerInterface+".Reload", nil); err != nil {
		return fmt.Errorf("reload the manager%s: %w", m.of(), err)
	}
	return nil
}

// Reexec has the manager become its program anew, and waits until it answers.
func (m Manager) Reexec(ctx context.Context) error {
	// It says nothing when it is done: the connection breaks.
	failed := m.call(ctx, managerPath, managerInterface+".Reexecute", nil)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		var version dbus.Variant
		err := m.call(ctx, managerPath, getProperty, []any{managerInterface, "Version"}, &version)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start the manager%s anew: %w", m.of(), errors.Join(failed, err))
		case <-time.After(wait):
		}
	}
}
