// Package tree is a file system as data: entries with type, mode, owner,
// extended attributes, modification time and content digest, sorted by path.
//
// It takes entries and gives trees, digests and dumps. Contents stay in the
// store; a tree only names them. It is pure: it opens no file and knows no
// clock. Everybody may import it.
//
// The identity of a tree is the SHA-256 of its canonical text, the format of
// composefs-dump(5). Hard links are equal entries with a link count of one.
package tree
