// Package wrong gives stet what it must refuse: wishes that cannot be met,
// archives that lie, servers that fail, disks that are full, kills at any
// moment. Each time it must say so in one screen, with the exit code of the
// design, leave stet.lock as it was, and do its work when the fault is gone.
package wrong
