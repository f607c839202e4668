// Package generation keeps the numbered systems of one machine: what each is,
// where it came from, and what became of it.
//
// It takes the directory of generations on a store (docs/formats/generation.md)
// and gives records and marks; what can be collected follows from them.
//
// It must never mount, boot or build, and never change a record. disk, build,
// activate and cli may import it.
package generation
