// Package source asks git about a repository: which commit a configuration
// is, whether it was changed since, and its history as one file.
//
// It takes a directory and gives values. It works without a repository: then there
// is no provenance to tell. It makes one, empty or out of such a file, moves one forward
// that nobody changed, and commits the files that it is told to; else it changes nothing.
package source
