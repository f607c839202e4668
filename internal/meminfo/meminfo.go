package meminfo

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Available is what programs can have without swapping, in bytes (MemAvailable of
// proc_meminfo(5)).
func Available() (uint64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	return available(string(text))
}

func available(text string) (uint64, error) {
	for line := range strings.Lines(text) {
		var kib uint64
		if _, err := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, errors.New("/proc/meminfo does not say how much memory is available")
}
