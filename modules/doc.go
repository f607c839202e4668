// Package modules holds the built-in services, one CUE file each.
//
// It takes nothing and gives the text of its CUE files. A module adds its
// options to #Services and, under a condition, its packages, files and units
// to #Machine; a repository's own CUE files do the same with the same means,
// and no Go code names a service. A module never overwrites a conffile where
// the package offers a drop-in directory. Only config imports this package.
package modules
