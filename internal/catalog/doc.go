// Package catalog lists packages so that those of a name are found without
// looking at the others.
//
// It takes parsed packages, or the bytes that a [Writer] made of them, and gives a
// [Catalog]. From bytes, a package is made when somebody asks for its name: an
// archive has 70,000, and a machine reaches some thousand. It never opens a file
// and never decides which package is wanted.
//
// A catalog as bytes is for this machine only, and may be deleted at any time. What
// is damaged is found by its digest; what was made to harm gives wrong packages, as
// a catalog may anyway that somebody else wrote, but never a panic.
package catalog
