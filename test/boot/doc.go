// Package boot runs the commands that boot a machine, as a person does: what
// they print, and how they end.
package boot
