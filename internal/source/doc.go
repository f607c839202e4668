// Package source asks git about a repository: which commit a configuration
// is, whether it was changed since, and its history as one file.
//
// It takes a directory and gives values. It changes nothing in a repository
// and works without one: then there is no provenance to tell.
package source
