package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Service is a process of its own, which ends with no terminal, session or
// connection, and of which nothing is left when it has ended.
type Service struct {
	Name        string // such as "stet-switch.service"
	Description string
	Command     []string      // the path of a program, and its arguments
	Environment []string      // what it has beside the manager's own, as "NAME=value"
	After       time.Duration // how long to wait before it begins, by a timer of its name
	Settings    []Setting
}

// Setting is a property of a service, by its name in org.freedesktop.systemd1(5).
type Setting struct {
	Name  string
	Value any
}

// ErrExists says that a service of that name runs already.
var ErrExists = errors.New("it runs already")

// property is a setting as the manager reads it.
type property struct {
	Name  string
	Value dbus.Variant
}

func properties(settings ...Setting) []property {
	var all []property
	for _, s := range settings {
		all = append(all, property{s.Name, dbus.MakeVariant(s.Value)})
	}
	return all
}

// command is one of a unit's commands as the manager reads it.
type command struct {
	Path      string
	Arguments []string // with the name that it is called by
	MayFail   bool
}

// auxiliary is a unit that another one brings along.
type auxiliary struct {
	Name       string
	Properties []property
}

// Launch begins a service, or sets its clock, and waits until that is done: until the
// program runs.
func (m Manager) Launch(ctx context.Context, s Service) error {
	service := properties(append([]Setting{
		{"Description", s.Description},
		{"Type", "exec"},
		{"CollectMode", "inactive-or-failed"},
		{"Environment", append([]string{}, s.Environment...)},
		{"ExecStart", []command{{s.Command[0], s.Command, false}}},
	}, s.Settings...)...)
	unit, own, others := s.Name, service, []auxiliary{}
	if s.After > 0 {
		unit = strings.TrimSuffix(s.Name, ".service") + ".timer"
		own = properties(
			Setting{"Description", s.Description},
			Setting{"CollectMode", "inactive-or-failed"},
			Setting{"RemainAfterElapse", false},
			Setting{"AccuracyUSec", uint64(time.Second / time.Microsecond)},
			Setting{"TimersMonotonic", []struct {
				Base string
				USec uint64
			}{{"OnActiveSec", uint64(s.After / time.Microsecond)}}},
		)
		others = append(others, auxiliary{s.Name, service})
	}
	err := m.jobs(ctx, "begin", []string{unit}, func(of dbus.BusObject, unit string) *dbus.Call {
		return of.CallWithContext(ctx, managerInterface+".StartTransientUnit", 0, unit, "fail", own, others)
	})
	var said dbus.Error
	if errors.As(err, &said) && said.Name == destination+".UnitExists" {
		return fmt.Errorf("begin %s: %w", unit, ErrExists)
	}
	return err
}
