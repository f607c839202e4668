package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stet/internal/machine"
)

func TestHealth(t *testing.T) {
	for text, want := range map[string]machine.Health{
		"name: a\n": {Timeout: machine.Duration(time.Minute), Checks: map[string]machine.Check{}},
		"name: a\nhealth: {timeout: 90s, web: {unit: a.service}, page: {command: x}, ssh: {port: 22}}\n": {
			Timeout: machine.Duration(90 * time.Second),
			Checks:  map[string]machine.Check{"web": {Unit: "a.service"}, "page": {Command: "x"}, "ssh": {Port: 22}},
		},
	} {
		got := load(t, FileName, text).Machines["a"].Health
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

// TestHealthOfSeveralRoles joins checks and lets a machine have its own time.
func TestHealthOfSeveralRoles(t *testing.T) {
	got := load(t, "a.cue", `package stet

_web: health: {timeout: *"2m" | _, web: port: 80}
_mail: health: mail: port: 25
machines: a: _web & _mail & {health: timeout: "5m"}
`).Machines["a"].Health
	want := machine.Health{Timeout: machine.Duration(5 * time.Minute), Checks: map[string]machine.Check{"web": {Port: 80}, "mail": {Port: 25}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
