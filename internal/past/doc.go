// Package past tells how one thing was in the systems of a store: a file, a unit,
// an account, a package, a variable or a parameter of the kernel.
//
// It takes a store, the digest of a system and a [Thing], and gives a [Look]; two
// systems have a thing alike when their looks are equal. It reads of trees only the
// part that the thing is in, so that twenty generations are looked at in a moment.
//
// It must never change anything, or know of generations and of what was declared:
// whoever asks knows which systems to compare. cli may import it.
package past
