package cli

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"stet/internal/hardware"
	"stet/internal/term"
)

// detectHardware looks at this machine.
func detectHardware() (*hardware.Hardware, error) {
	found, err := hardware.Detect(hardware.Host{Sys: "/sys", Proc: "/proc", Architecture: runtime.GOARCH, Firmware: moduleFirmware})
	var unsupported *hardware.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, wrongInput(err, "`stet init` without --detect writes a configuration all the same")
	}
	return found, err
}

// moduleFirmware asks modinfo(8). Without it, or the module, no firmware is known.
func moduleFirmware(module string) []string {
	out, err := exec.Command("modinfo", "-F", "firmware", module).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// withHardware adds to the starter what was found.
func withHardware(starter string, found *hardware.Hardware) string {
	var out strings.Builder
	for line := range strings.Lines(starter) {
		switch {
		case strings.HasPrefix(line, "debian: ") && len(found.Packages) > 0:
			out.WriteString("debian: {suite: trixie, components: [main, non-free-firmware]}\n")
		case strings.HasPrefix(line, "packages: ") && len(found.Packages) > 0:
			// The last ones are what this hardware needs.
			out.WriteString("packages: [curl, less, " + strings.Join(found.Packages, ", ") + "]\n")
		default:
			out.WriteString(line)
		}
	}
	out.WriteString("\n# What this machine has; `stet install` writes to one of its disks:\n")
	for _, d := range found.Disks {
		fmt.Fprintf(&out, "#   /dev/%s  %s  %s\n", d.Name, term.Bytes(d.Size), d.Model)
	}
	if len(found.Unknown) > 0 {
		fmt.Fprintf(&out, "# Modules may ask for firmware of a package that Stet does not know: %s\n", strings.Join(found.Unknown, ", "))
	}
	if len(found.Modules) > 0 {
		fmt.Fprintf(&out, "kernel: {modules: [%s]}\n", strings.Join(found.Modules, ", "))
	}
	return out.String()
}
