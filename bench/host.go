package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// host is what a figure means nothing without.
type host struct {
	Processor  string `json:"processor"`
	CPUs       int    `json:"cpus"`
	MemoryMB   int64  `json:"memory_mb"`
	Kernel     string `json:"kernel"`
	Directory  string `json:"directory"`
	FileSystem string `json:"file_system"`
	LoadBefore string `json:"load_before"` // of the last 1, 5 and 15 minutes
	LoadAfter  string `json:"load_after"`
}

func describeHost(dir string) host {
	h := host{CPUs: runtime.NumCPU(), Directory: dir, LoadBefore: loadAverage(), Processor: "unknown processor"}
	for line := range strings.Lines(readText("/proc/cpuinfo")) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			h.Processor = strings.TrimSpace(value)
			break
		}
	}
	if words := strings.Fields(readText("/proc/meminfo")); len(words) > 1 {
		kilobytes, _ := strconv.ParseInt(words[1], 10, 64)
		h.MemoryMB = kilobytes / 1000
	}
	h.Kernel = strings.TrimSpace(readText("/proc/sys/kernel/osrelease"))
	var stat unix.Statfs_t
	if unix.Statfs(dir, &stat) == nil {
		h.FileSystem = fileSystemName(int64(stat.Type))
	}
	return h
}

func fileSystemName(magic int64) string {
	names := map[int64]string{
		unix.EXT4_SUPER_MAGIC: "ext4", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.XFS_SUPER_MAGIC: "xfs",
		unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay",
	}
	if name, known := names[magic]; known {
		return name
	}
	return "file system 0x" + strconv.FormatInt(magic, 16)
}

func loadAverage() string {
	words := strings.Fields(readText("/proc/loadavg"))
	return strings.Join(words[:min(3, len(words))], " ")
}

// readText gives a file of /proc; one that is missing says nothing.
func readText(name string) string {
	text, _ := os.ReadFile(name)
	return string(text)
}

// needed is the room that all measurements take together, in bytes.
const needed = 56 << 30

// needRoom tells before an hour has passed that the room will not do.
func needRoom(dir string) error {
	var room unix.Statfs_t
	if err := unix.Statfs(dir, &room); err != nil {
		return err
	}
	if left := int64(room.Bavail) * room.Bsize; left < needed {
		return fmt.Errorf("%s has %d GB left, and all measurements take %d: make room, name another place with -dir, or some of them with -only", dir, left>>30, int64(needed)>>30)
	}
	return nil
}
