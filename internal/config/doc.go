// Package config turns the text a person writes into machines.
//
// It takes a directory with stet.yaml or CUE files of package stet and gives
// every machine as a [machine.Machine], with the files it read and the place
// each value came from. Whatever is wrong becomes a [Problem] with its place;
// all independent problems come at once, as one [Problems] error.
//
// The language itself is data: the schema and the modules are CUE, and this
// package knows neither options nor services by name beyond what it decodes.
// Every machine is evaluated in a cue.Context of its own, beside the others and
// without what is written of them, so that time and memory stay bounded; an
// evaluation that takes too much of either is given up.
//
// It reads only below the given directory, follows no link out of it, runs no
// program, and never writes. Only cli and build import it.
package config
