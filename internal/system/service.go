package system

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"stet/internal/residue"
)

const (
	unitDir = "/usr/lib/systemd/system/"
	// makersDir has one program for each state of a service that is to be made.
	makersDir = "/usr/lib/stet/service/"
)

// instanceName is what an instance of a service must look like, because it is
// part of unit names and of commands.
var instanceName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]*$`)

// services writes a unit for each state that a service needs before it first
// starts, and the program that makes it.
func (c *composer) services() error {
	rules, err := c.rules(residue.Service)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.Make == "" {
			continue
		}
		for _, i := range r.Instances(c.like(r.Service.Each)) {
			if !instanceName.MatchString(i.Name) {
				return fmt.Errorf("%s: %q is no name of a service's state", r.Service.Each, i.Name)
			}
			if err := c.service(i); err != nil {
				return err
			}
		}
	}
	return nil
}

// like gives the paths of the root that a pattern matches.
func (c *composer) like(pattern string) []string {
	var out []string
	if pattern == "" {
		return out
	}
	fixed, _, _ := strings.Cut(pattern, "*")
	for _, e := range c.files.Below(path.Dir(fixed)) {
		if ok, err := path.Match(pattern, e.Path); ok && err == nil {
			out = append(out, e.Path)
		}
	}
	return out
}

func (c *composer) service(i residue.Instance) error {
	unit := "stet-service-" + i.Name + ".service"
	if err := c.putText(makersDir+i.Name, maker(i), 0o755); err != nil {
		return err
	}
	if err := c.putText(unitDir+unit, serviceUnit(i), 0o644); err != nil {
		return err
	}
	for _, needs := range i.Service.Units {
		if err := c.putLink(unitDir+needs+".requires/"+unit, "../"+unit); err != nil {
			return err
		}
	}
	return nil
}

// serviceUnit is the unit that makes a state. The services wait for it and do
// not start without; they are slow where everything is, so it has time.
func serviceUnit(i residue.Instance) string {
	var text strings.Builder
	fmt.Fprintf(&text, "[Unit]\nDescription=Make the first state of %s\nDocumentation=man:stet(1)\n", i.Name)
	fmt.Fprintf(&text, "ConditionPathExists=!%s\n", madeMark(i))
	fmt.Fprintf(&text, "After=%s\nBefore=%s\n", identityUnit, strings.Join(i.Service.Units, " "))
	fmt.Fprintf(&text, "\n[Service]\nType=oneshot\nRemainAfterExit=yes\nTimeoutStartSec=30min\nExecStart=%s\n", makersDir+i.Name)
	if len(i.Service.Start) > 0 {
		// What generators make of the state is new to systemd.
		fmt.Fprintf(&text, "ExecStartPost=systemctl daemon-reload\nExecStartPost=-systemctl start --no-block %s\n", strings.Join(i.Service.Start, " "))
	}
	return text.String()
}

// The marks that say how far the making of a state is. They are state, too.
func makingMark(i residue.Instance) string { return "/var/lib/stet/service/" + i.Name + ".making" }
func madeMark(i residue.Instance) string   { return "/var/lib/stet/service/" + i.Name + ".made" }

// maker is the program that makes a state. It leaves alone what is there
// already, unless the power failed while it was made: nobody has used that
// yet. What it cannot finish it takes away again at once.
func maker(i residue.Instance) string {
	var clear strings.Builder
	for _, dir := range i.Service.Clear {
		fmt.Fprintf(&clear, "    if [ -d %[1]s ]; then find %[1]s -mindepth 1 -delete; fi\n", quote(dir))
	}
	return fmt.Sprintf(`#!/bin/sh
# Makes the first state of %[1]s, once.
set -e
making=%[2]s made=%[3]s
undo() {
%[4]s
    rm -f "$making"
}
mkdir -p "${made%%/*}"
if [ -e "$making" ]; then
    undo
elif [ -e %[5]s ]; then
    : >"$made"
    exit 0
fi
: >"$making"
sync "$making" "${making%%/*}"
trap undo EXIT
trap 'exit 1' HUP INT TERM
%[6]s
sync
trap - EXIT
mv "$making" "$made"
sync "${made%%/*}"
`, i.Name, makingMark(i), madeMark(i), strings.TrimSuffix(clear.String(), "\n"), quote(i.Done), strings.TrimSpace(i.Make))
}

// quote makes a word of the shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }
