package main

import (
	"fmt"
	"strings"

	"stet/internal/gpt"
)

// lasting has the units of mounts that systemd must not unmount while it stops
// units, as files below /run/systemd/system. Of /stet, overlays go on using the
// file system unseen, so that it would stay writable until the power goes, and
// its journal dirty; below the others, programs have files open until they are
// killed, and a person would see FAILED in red; and a soft reboot would find the
// state gone, which nobody mounts again. systemd-shutdown, which comes after that,
// makes what is still mounted read-only, file system and all.
//
// Those of the state are whole units: other units name them before systemd has
// seen them mounted, and then systemd reads no drop-ins for them.
func lasting() map[string]string {
	const own = "[Unit]\nDefaultDependencies=no\n"
	units := map[string]string{
		"stet.mount.d/stet.conf":         own,
		"run-stet-bin.mount.d/stet.conf": own,
	}
	for _, d := range stateDirectories() {
		units[d.name+".mount"] = fmt.Sprintf("[Unit]\nDescription=/%[1]s, which is state\nDefaultDependencies=no\n\n"+
			"[Mount]\nWhat=/stet/state/%[1]s\nWhere=/%[1]s\nOptions=bind\n", d.name)
	}
	return units
}

// espIdle is how long the ESP stays mounted when nobody uses it: FAT has no
// journal, so the less it is mounted, the less a power cut finds it so.
const espIdle = "2min"

// beside gives the units of the other partitions on the store's disk: the ESP,
// mounted when somebody looks below /efi, and swap. systemd-gpt-auto-generator
// does the same for machines whose root is a partition, and leaves ours alone,
// whose root is a tmpfs. By the links, targets want them.
func beside(table *gpt.Table) (units, links map[string]string) {
	units, links = map[string]string{}, map[string]string{}
	for _, p := range table.Partitions {
		device := "/dev/disk/by-partuuid/" + p.ID.String()
		switch {
		case p.Type == gpt.ESP && units["efi.mount"] == "":
			units["efi.mount"] = fmt.Sprintf("[Unit]\nDescription=The EFI system partition\n\n"+
				"[Mount]\nWhat=%s\nWhere=/efi\nType=vfat\nOptions=rw,nodev,nosuid,noexec,umask=0077\n", device)
			units["efi.automount"] = fmt.Sprintf("[Unit]\nDescription=The EFI system partition, when it is used\n\n"+
				"[Automount]\nWhere=/efi\nTimeoutIdleSec=%s\n", espIdle)
			links["local-fs.target.wants/efi.automount"] = "../efi.automount"
		case p.Type == gpt.Swap:
			name := unitName(device) + ".swap"
			units[name] = fmt.Sprintf("[Unit]\nDescription=Swap on the disk of the store\n\n[Swap]\nWhat=%s\n", device)
			links["swap.target.wants/"+name] = "../" + name
		}
	}
	return units, links
}

// unitName is the name of a path in that of a unit, as systemd-escape(1) makes
// it of paths that have but letters, digits, slashes and dashes.
func unitName(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimPrefix(path, "/"), "-", `\x2d`), "/", "-")
}
