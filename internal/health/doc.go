// Package health finds out whether a machine is well: it carries out the checks
// that the machine declares, and Stet's own, and gives what came of them as data.
//
// It takes checks and a [Host] to carry them out on. What follows from a failure
// (a reboot, a way back, a message) is for those who ask.
//
// It must never change anything, but for what a declared command does. cli and
// activate may import it; system writes its file.
package health
