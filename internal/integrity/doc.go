// Package integrity looks whether a store is what it says: every manifest, tree,
// image and object there, whole, and sealed where the file system can.
//
// It takes a store, follows what its generations, manifests and trees name, reads
// all of it, and gives findings: what is wrong with which file, and which paths,
// packages and generations that hurts.
//
// It must never repair, but for sealing what is whole when it is asked to. cli may
// import it.
package integrity
