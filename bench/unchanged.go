package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// What asking for what is there already is promised to take: seconds, and the part of
// what Ansible takes to find three tasks done.
const (
	unchangedLimit   = 0.1
	unchangedAnsible = 1.0 / 80
	unchangedRuns    = 10
)

// unchangedPlaybook is what Ansible is told.
//
//go:embed unchanged/playbook.yaml
var unchangedPlaybook string

// unchanged builds again what is built, in turns with an Ansible that has nothing to do.
func (b *bench) unchanged(ctx context.Context) ([]result, error) {
	l, err := b.prepared(ctx)
	if err != nil {
		return nil, err
	}
	root, err := b.rootOf(ctx, "ansible-tools", data("tools.yaml"))
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(b.dir, "unchanged")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "playbook.yaml"), []byte(unchangedPlaybook), 0o644); err != nil {
		return nil, err
	}
	var ours, theirs []float64
	for run := range unchangedRuns + 1 {
		say("nothing changed, run %d of %d", run, unchangedRuns)
		built, _, err := b.runStet(ctx, l.repository, l.store, "build")
		if err != nil {
			return nil, err
		}
		played, said, err := measure(inRoot(ctx, root, dir, "ansible-playbook", "--connection=local", "--inventory=localhost,", "playbook.yaml"))
		if err != nil {
			return nil, err
		}
		if run == 0 {
			continue // it made what the others find
		}
		if !strings.Contains(said, " changed=0 ") {
			return nil, fmt.Errorf("the tasks of Ansible are done, and it found something to do:\n%s", tail(said))
		}
		ours, theirs = append(ours, built.Wall), append(theirs, played.Wall)
	}
	s := measured("stet build, nothing changed", "s", ours, unchangedLimit)
	a := measured("three tasks of Ansible, nothing changed", "s", theirs, 0)
	return []result{s, a, ratio("nothing changed: stet / Ansible", s, a, unchangedAnsible)}, nil
}
