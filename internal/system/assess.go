package system

import (
	"fmt"
	"strings"
	"time"

	"stet/internal/health"
)

// bootTime is how long a generation may take until its checks begin. What a
// service makes of its first state has more; a generation that adds such a service
// and takes that long is one to look at.
const bootTime = 10 * time.Minute

// assessment are the units that find out whether a generation is good
// (systemd.io/AUTOMATIC_BOOT_ASSESSMENT). They act only where a boot loader
// counts: with a generation on the kernel command line. Each runs a command of
// the machine's stet.
var assessment = []struct {
	name, description, command string
	unit                       string // more of [Unit]
	service                    string // more of [Service]
	wants                      string // the directory of the link that pulls it in
}{
	{
		name: "stet-history.service", description: "Say which generations failed", command: "begin",
		// The journal of earlier boots is where this looks. No login waits for it.
		unit:  "After=systemd-journal-flush.service\n",
		wants: "multi-user.target.wants",
	},
	{
		name: "stet-health.service", description: "Check the health of this generation", command: "health",
		unit: "After=default.target graphical.target multi-user.target\nBefore=boot-complete.target\n",
		// The checks have a time of their own.
		service: "TimeoutStartSec=infinity\n",
		wants:   "boot-complete.target.requires",
	},
	{
		name: "stet-good.service", description: "Mark this generation as good", command: "good",
		// As systemd-bless-boot.service(8), beside which it may run.
		unit:  "DefaultDependencies=no\nRequires=boot-complete.target\nAfter=local-fs.target boot-complete.target\nConflicts=shutdown.target\nBefore=shutdown.target\n",
		wants: "basic.target.wants",
	},
	{
		name: "stet-deadline.service", description: "Give up a boot that hangs", command: "deadline",
		unit: "DefaultDependencies=no\nAfter=efi.automount\nConflicts=shutdown.target\nBefore=shutdown.target\n",
	},
}

// deadlineTimer starts with the boot and not after basic.target, which may be
// what hangs.
const deadlineTimer = "stet-deadline.timer"

// assess writes the units and what they check.
func (c *composer) assess() error {
	text, err := health.Text(c.Machine.Health)
	if err != nil {
		return err
	}
	if err := c.putText("/usr/"+health.File, string(text), 0o644); err != nil {
		return err
	}
	for _, u := range assessment {
		if err := c.assessmentUnit(u.name, u.description, u.unit, fmt.Sprintf("[Service]\nType=oneshot\n%sExecStart=/usr/bin/stet assess %s\n", u.service, u.command), u.wants); err != nil {
			return err
		}
	}
	return c.assessmentUnit(deadlineTimer, "Give this boot a deadline", "DefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n",
		fmt.Sprintf("[Timer]\nOnActiveSec=%d\n", int((bootTime+time.Duration(c.Machine.Health.Timeout)).Seconds())), "sysinit.target.wants")
}

func (c *composer) assessmentUnit(name, description, unit, section, wants string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "[Unit]\nDescription=%s\nDocumentation=man:stet(1)\nConditionKernelCommandLine=stet.generation\n%s\n%s", description, unit, section)
	if err := c.putText(unitDir+name, text.String(), 0o644); err != nil {
		return err
	}
	if wants == "" {
		return nil
	}
	return c.putLink(unitDir+wants+"/"+name, "../"+name)
}
