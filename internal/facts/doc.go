// Package facts sees what a plan has to know of a running machine: its units
// and their processes, mounts and mount namespaces, what people changed in /etc,
// and who is logged in.
//
// It takes a [Machine], a root directory with proc, run and etc, and gives
// plan.Facts, all of one moment as far as that is possible: a process that ends
// meanwhile was not there. docs/formats/plan.md says what each fact is. For drift it
// looks at more, and gives drift.Seen: each thing in a file of its own.
//
// It must never change anything, or decide what follows from a fact. cli,
// activate and drift may import it.
package facts
