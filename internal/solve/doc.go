// Package solve turns wanted names into the set of packages that a machine
// gets, with the reason of each.
//
// It takes a Universe (every package that may be installed, in groups from
// most to least preferred) and a Request (the wishes), and gives a Solution or
// an error in Debian's words. ConfigureOrder and Closure answer the two
// questions that unpacking and configuring ask about a finished set.
//
// The rules are those of deb-control(5), the Debian Policy Manual chapter 7
// and the Multi-Arch specification, as dpkg enforces them. Where several
// packages would do, the first of this list is taken:
//
//  1. what is needed anyway,
//  2. a package of a Preferred group (a lock, or what Stet itself provides),
//  3. a package in its candidate version before any other version,
//  4. the earlier alternative of "a | b",
//  5. the real package before one that Provides the name,
//  6. Essential, then the native architecture, then the higher Priority,
//  7. the name, in byte order.
//
// Everything that must hold is settled before any Recommends is looked at, and
// a Recommends that cannot be had is left out. What came before something that
// is needed anyway is dropped in the end. docs/solver.md tells people the same,
// and how the choices differ from apt's.
//
// The search is propagation, choice in the order above and conflict-driven
// backtracking, so it finds a solution whenever there is one.
//
// The package is pure: it reads no file, no clock and no environment, and the
// answer depends neither on the order of its inputs nor on map order. It must
// never fetch, unpack or know a single package by name. Any room may import it;
// it imports only catalog, debian and similar.
package solve
