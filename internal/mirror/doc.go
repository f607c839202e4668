// Package mirror brings Debian's bytes here: it finds mirrors, reads signed
// indices, and fetches packages.
//
// An [Archive] is one suite of Debian's, which any mirror may have, or one of a
// repository, which is where its configuration says and signed by the keys that
// stand there, and by no other.
//
// It takes places to look at, keys, a cache directory and a point in time, and
// gives the catalogs of indices and files whose SHA-256 was checked. Nothing is trusted
// unverified: InRelease against keys that are embedded or declared (see
// package signature), then SHA-256 and size all the way down. A mirror is only a place where bytes
// may be; which one gave them changes nothing.
//
// It never reads the environment, the host's keyring or anything of the host
// but its APT sources, never decides what is wanted, and never writes outside
// its cache. Only lock, update and fetch may call it: builds are offline.
//
// The cache:
//
//	debs/<sha256>.deb        a whole, verified package
//	debs/<sha256>.partial    the beginning of one, to be resumed
//	indices/<sha256>.v<N>    the catalog of an index, named by the compressed index's hash
//	indices/<sha256>.partial the beginning of a compressed index
//
// Everything in it may be deleted at any time.
package mirror
