// Package similar finds the known word that a person most likely meant by a
// mistyped one.
//
// It takes words and gives words or their distance. It knows nothing of what
// they name, and asks nobody for candidates. Any room may import it.
package similar
