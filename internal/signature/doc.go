// Package signature says whether a text was signed by a key that counts.
//
// It takes OpenPGP public keys (RFC 9580) and signed texts, clear-signed as
// InRelease is or with the signature beside them as Release.gpg is, and gives
// the text and the fingerprints of those who signed. Debian's archive keys are
// embedded, see [DebianKeys]; the keys of other repositories are in their
// machines' configurations.
//
// It is pure: it is told the time, and never reads a keyring of the host.
// mirror verifies with it, and config reads declared keys with it.
package signature
