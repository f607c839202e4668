package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"stet/internal/vm"
)

// What `stet drift` is promised to take: a part of what debsums takes, and MB.
const (
	driftFraction    = 1.0 / 50
	driftMemoryLimit = 100
)

// large is a machine of about 150,000 files, which starts without its desktop; and
// who looks after them.
const large = `name: large
debian: {recommends: true}
base: standard
kernel: {package: linux-image-amd64, parameters: [console=ttyS0, systemd.unit=multi-user.target]}
packages: [task-gnome-desktop, debsums, aide, time]
`

// opened has every file be opened once: until then overlayfs guesses how many blocks it
// has, and aide takes one of which that changes for one that somebody writes to.
const opened = "find /usr /etc -xdev -type f -exec head --bytes=1 {} + >/dev/null"

// aideConfiguration has aide look at what `stet drift` and debsums answer for, by
// contents and attributes.
const aideConfiguration = `database_in=file:/var/tmp/aide
database_out=file:/var/tmp/aide
report_url=file:/var/tmp/aide.report
/etc p+u+g+sha256
/usr p+u+g+sha256
`

const aideCheck = "aide --config=/var/tmp/aide.conf --log-level=error --check"

// patience is how long an emulated machine may read all its files.
const patience = time.Hour

// drift asks a machine that nobody touched whether it is as it should be: once each
// by the peers, which read everything, and in between by Stet.
func (b *bench) drift(ctx context.Context) (all []result, err error) {
	l, err := b.locked(ctx, "large", large)
	if err != nil {
		return nil, err
	}
	guest, err := b.stetGuest(ctx, l)
	if err != nil {
		return nil, err
	}
	guest.Memory = 2 * guestMemory
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	machine, err := vm.Start(ctx, guest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if _, err := machine.WaitBooted(ctx); err != nil {
		return nil, err
	}
	ask := func(line string) (*vm.Result, error) {
		answer, err := machine.Exec(ctx, vm.Shell(line))
		if err == nil && answer.ExitStatus != 0 {
			err = fmt.Errorf("%s: exit status %d\n%s", line, answer.ExitStatus, tail(string(answer.Stdout)+string(answer.Stderr)))
		}
		return answer, err
	}
	answer, err := ask("find /usr /etc -xdev -type f | wc -l; printf '" + aideConfiguration + "' >/var/tmp/aide.conf && " + opened + " && aide --config=/var/tmp/aide.conf --log-level=error --init")
	if err != nil {
		return nil, err
	}
	files, err := strconv.ParseFloat(firstNumber.FindString(string(answer.Stdout)), 64)
	if err != nil {
		return nil, err
	}
	took := map[string][]float64{}
	var memory []float64
	for _, line := range []string{"stet drift", "debsums --all --silent", "stet drift", aideCheck, "stet drift"} {
		say("drift: %s", line)
		answer, err := ask(`/usr/bin/time --format='bench %e %M' ` + line + ` 2>&1 || true`)
		if err != nil {
			return nil, err
		}
		said := timed.FindStringSubmatch(string(answer.Stdout))
		if said == nil {
			return nil, fmt.Errorf("%s does not say how long it took:\n%s", line, tail(string(answer.Stdout)))
		}
		seconds, _ := strconv.ParseFloat(said[1], 64)
		kilobytes, _ := strconv.ParseFloat(said[2], 64)
		took[line] = append(took[line], seconds)
		if line == "stet drift" {
			memory = append(memory, kilobytes*1024/1e6)
		}
	}
	s := measured("stet drift", "s", took["stet drift"], 0)
	d := measured("debsums --all", "s", took["debsums --all --silent"], 0)
	a := measured("aide --check", "s", took[aideCheck], 0)
	return []result{
		measured("files of the machine", "", []float64{files}, 0),
		s, measured("stet drift: peak memory", "MB", memory, driftMemoryLimit),
		d, ratio("stet drift / debsums", s, d, driftFraction),
		a, ratio("stet drift / aide", s, a, 0),
	}, nil
}

var (
	firstNumber = regexp.MustCompile(`\d+`)
	timed       = regexp.MustCompile(`(?m)^bench ([\d.]+) (\d+)$`)
)
