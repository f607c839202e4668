// Package assess boots a machine by firmware and boot loader, and gives it
// generations that fail in every way there is: it must come back by itself to one
// that works, say what was wrong, and keep a good one for ever.
package assess
