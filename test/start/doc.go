// Package start starts machines from what they do not expect: disks on other
// buses, disks that are damaged, stores that are not there. What it looks at is
// the initrd; most of its machines never reach systemd.
package start
