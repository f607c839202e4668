// Package store keeps file contents by their fs-verity digest, and what is
// made of them: trees, images, systems and memos.
//
// It takes bytes and gives digests. It decides nothing about what is kept: it
// deletes only what a collector, alone in the store, does not hold. It is an edge: it touches the disk, and the rooms
// that compute (tree, erofs, system) are given its objects, not the Store.
//
// A reader in another process sees an object, tree, image or system whole or
// not at all. After a crash everything that a memo or a root names is whole,
// because [Store.Publish] calls syncfs before it writes them.
//
// The layout on disk is described in docs/formats/store.md.
package store
