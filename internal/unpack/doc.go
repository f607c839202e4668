// Package unpack turns a .deb into objects and trees, once in a lifetime.
//
// It takes a .deb that was verified and a store, and gives the tree of the
// package's files and the tree of its control files. It runs nothing, and it
// does not know what other packages there are: paths stay as the package has
// them. What the kernel could not hold, or what no package may hold, is
// refused with the package's path.
package unpack
