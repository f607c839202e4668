// Package image holds disk images against other people's programs and against
// one another, and boots one as hardware does, through everything that becomes of
// a disk: it is installed, grows, is lost and is made anew.
//
// It has tests only.
package image
