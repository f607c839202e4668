// Package reproducible builds the examples again and again in surroundings
// that differ in everything that promise 1 of the design names (path, user's
// environment, locale, time zone, umask, host name, CPU count, file system,
// network), each time from fetched packages into an empty store, and compares
// every byte that comes out.
package reproducible
