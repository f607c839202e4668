// Package handover brings a system from one store to another, as a directory or
// over a pipe. The formats are in docs/formats/handover.md.
//
// It takes an offer and a source of files, asks for what the store lacks, and
// holds every byte against its digest. What was taken of an interrupted transfer
// counts the next time; the manifest comes last.
//
// It must never stage or start what it took, and never trust its source. cli may
// import it.
package handover
