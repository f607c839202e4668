// Package term is what people see: errors with the line and a caret, tables,
// and how far work is.
//
// It takes plain values and a writer, and gives text. It decides colour and
// width once, in [New]; it knows nothing of configurations, machines or
// commands, and never writes to stdout what a program might read. Only cli
// imports it.
package term
