package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// What the machines have in common: services, which no Go code names.
var (
	//go:embed configuration/large.yaml
	largeHead string
	//go:embed configuration/roles.cue
	roles string
)

// The promises for reading configurations, in seconds and MB.
const (
	versionLimit     = 0.015
	helloLimit       = 0.060
	completionLimit  = 0.030
	largeLimit       = 0.15
	checkMemoryLimit = 100
	fleetLimit       = 2.0

	languageRuns  = 7
	fleetMachines = 50
)

// language tells how long `stet check` takes with nothing remembered: of hello,
// of a machine with 200 files, 50 units and 20 users, and of 50 machines; and
// then, remembered, of all of them and after a change in one.
func (b *bench) language(ctx context.Context) ([]result, error) {
	store := filepath.Join(b.dir, "language-store")
	none := filepath.Join(b.dir, "language-none") // no store: nothing is remembered
	large, err := b.repository("language-large", largeMachine(200, 50, 20))
	if err != nil {
		return nil, err
	}
	hello, err := filepath.Abs("examples/hello")
	if err != nil {
		return nil, err
	}
	fleet := filepath.Join(b.dir, "language-fleet")
	if err := os.MkdirAll(fleet, 0o755); err != nil {
		return nil, err
	}
	machines := filepath.Join(fleet, "machines.cue")
	if err := os.WriteFile(machines, []byte(fleetText(fleetMachines)), 0o644); err != nil {
		return nil, err
	}
	// A store is what makes check remember.
	if err := os.MkdirAll(store, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(store, "format.json"), []byte("{\"version\":1,\"min_reader\":1}\n"), 0o600); err != nil {
		return nil, err
	}

	var version, checkHello, checkLarge, memory, checkFleet, again, changed, complete []float64
	for run := range languageRuns {
		say("language, run %d of %d", run+1, languageRuns)
		took := func(values *[]float64, repository, store string, args ...string) error {
			s, _, err := b.runStet(ctx, repository, store, args...)
			*values = append(*values, s.Wall)
			if repository == large {
				memory = append(memory, s.Memory)
			}
			return err
		}
		s, _, err := measure(exec.CommandContext(ctx, b.stet, "version"))
		if err != nil {
			return nil, err
		}
		version = append(version, s.Wall)
		var warm []float64
		text := strings.Replace(fleetText(fleetMachines), "8007", fmt.Sprint(9000+run), 1)
		for _, step := range []func() error{
			func() error { return took(&checkHello, hello, none, "check") },
			func() error { return took(&checkLarge, large, none, "check") },
			func() error { return took(&checkFleet, fleet, none, "check") },
			func() error { return took(&warm, fleet, store, "check") },
			func() error { return took(&again, fleet, store, "check") },
			func() error { return os.WriteFile(machines, []byte(text), 0o644) },
			func() error { return took(&changed, fleet, store, "check") },
			func() error { return took(&warm, hello, store, "__complete", "options", "users.") },
			func() error { return took(&complete, hello, store, "__complete", "options", "users.") },
		} {
			if err := step(); err != nil {
				return nil, err
			}
		}
	}
	return []result{
		measured("stet version", "s", version, versionLimit),
		measured("completion of options", "s", complete, completionLimit),
		measured("check: hello", "s", checkHello, helloLimit),
		measured("check: 200 files, 50 units, 20 users", "s", checkLarge, largeLimit),
		measured("check: the same, memory", "MB", memory, checkMemoryLimit),
		measured(fmt.Sprintf("check: %d machines", fleetMachines), "s", checkFleet, fleetLimit),
		measured("check: the same, nothing changed", "s", again, 0),
		measured("check: the same, one machine changed", "s", changed, 0),
	}, nil
}

// largeMachine is a machine of many parts, in YAML.
func largeMachine(files, units, users int) string {
	var b strings.Builder
	b.WriteString(largeHead + "files:\n")
	for i := range files {
		fmt.Fprintf(&b, "  /etc/app/%d.conf: {text: \"value %d\\n\", mode: \"0640\"}\n", i, i)
	}
	b.WriteString("units:\n")
	for i := range units {
		fmt.Fprintf(&b, "  app-%d.service: {enable: true, text: \"[Service]\\nExecStart=/usr/bin/true %d\\n\"}\n", i, i)
	}
	b.WriteString("users:\n")
	for i := range users {
		fmt.Fprintf(&b, "  user%d: {groups: [sudo, adm], ssh_keys: [\"ssh-ed25519 AAAA%d user%d\"]}\n", i, i, i)
	}
	return b.String()
}

// fleetText is many machines of two roles, in CUE.
func fleetText(n int) string {
	var b strings.Builder
	b.WriteString(roles)
	for i := range n {
		fmt.Fprintf(&b, "machines: m%d: _web & {files: \"/etc/shop/port\": text: \"%d\\n\"}\n", i, 8000+i)
	}
	return b.String()
}
