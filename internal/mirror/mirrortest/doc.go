// Package mirrortest makes small signed Debian archives and serves them on
// loopback, as well or as badly as a test wants.
//
// It takes packages described in Go, or whole .debs, and gives the files of an
// archive (pool, dists, Packages.xz, by-hash, InRelease) signed by a key that
// is made for the test, in a directory or behind an HTTP server that can lose,
// cut, alter and withhold them. It never reaches beyond loopback, and only
// tests may import it.
package mirrortest
