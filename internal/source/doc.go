// Package source asks git about a repository: which commit a configuration
// is, whether it was changed since, and its history as one file.
//
// It takes a directory and gives values. It works without a repository: then there
// is no provenance to tell. It makes one out of such a file, and moves one forward
// that nobody changed; else it changes nothing.
package source
