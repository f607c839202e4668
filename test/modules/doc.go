// Package modules holds what modules declare to what comes of it: a checker of a
// repository's own module stops a build, and in a VM the built-in ones do what they
// say.
package modules
