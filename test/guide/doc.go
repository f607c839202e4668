// Package guide holds the pages that people read to the truth: every command
// that they show is run here, or by a test that is named here.
package guide
