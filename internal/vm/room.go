package vm

import (
	"runtime"

	"stet/internal/meminfo"
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
	available, err := meminfo.Available()
	if err != nil {
		return 0, err
	}
	return fit(int(available>>20), memory, runtime.NumCPU()), nil
}

func fit(available, memory, processors int) int {
	return max(1, min(processors, (available-hostReserve)/(memory+overhead)))
}
