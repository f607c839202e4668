package vm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
)

const (
	// hostReserve is what of the host's memory is left to others, in MiB.
	hostReserve = 1024
	// overhead is what QEMU takes beside the guest's memory, in MiB; an emulator
	// keeps what it has translated.
	overhead = 256
)

// AtOnce gives how many VMs with so many MiB of memory each this host has room for
// now, at least one. No more than there are processors: what a boot waits for is
// mostly them.
func AtOnce(memory int) (int, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	available, err := memoryAvailable(string(text))
	return fit(available, memory, runtime.NumCPU()), err
}

func fit(available, memory, processors int) int {
	return max(1, min(processors, (available-hostReserve)/(memory+overhead)))
}

// memoryAvailable reads what programs can have without swapping, in MiB
// (proc_meminfo(5)).
func memoryAvailable(text string) (int, error) {
	for line := range strings.Lines(text) {
		var kib int
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			return kib >> 10, nil
		}
	}
	return 0, errors.New("/proc/meminfo does not say how much memory is available")
}
