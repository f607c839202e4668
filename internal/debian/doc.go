// Package debian knows Debian's formats and nothing else: versions, deb822
// stanzas, relations, Packages and Release indices, ar, .deb and its
// compressions.
//
// It takes bytes and readers and gives values. It never opens a file, never
// touches the network, never verifies a signature, never decides which package
// is wanted. Every package of Stet may import it; it imports xz alone.
//
// All input is hostile: every parser has a fuzz target, limits its memory, and
// answers what it does not understand with an error that names the place. Where
// dpkg and Debian Policy differ, it reads what dpkg reads.
package debian
