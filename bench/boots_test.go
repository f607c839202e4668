package main

import (
	"math"
	"strings"
	"testing"
)

func TestABootTellsItsTimes(t *testing.T) {
	const stet = `[    0.000000] Linux version 6.12
[    1.250000] Run /init as init process
[    1.700000] stet-init: system 0123 is mounted
UserspaceTimestampMonotonic=2750000
up 31.50 20.00
`
	debian := strings.Replace(stet, "stet-init: system 0123 is mounted", "bench: the initrd ends", 1)
	for name, answer := range map[string]string{"stet": stet, "Debian": debian} {
		initrd, systemd, up, err := bootTimes(answer)
		if err != nil || math.Abs(initrd-0.45) > 1e-9 || math.Abs(systemd-1.5) > 1e-9 || up != 31.5 {
			t.Errorf("%s: %v, %v, %v, %v", name, initrd, systemd, up, err)
		}
	}
	if _, _, _, err := bootTimes(strings.Replace(stet, "up 31", "down 31", 1)); err == nil || !strings.Contains(err.Error(), "up ") {
		t.Errorf("without how long it is up: %v", err)
	}
}
