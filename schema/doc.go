// Package schema is the language: what can be declared of a machine, in CUE.
//
// It takes nothing and gives the text of its CUE files. They are closed
// definitions of package stet; their comments are the documentation of the
// options, their @expected attributes what an error says was expected. Fields
// named _key carry what a key of the surrounding struct must look like.
//
// What Stet decides for every machine (timers that are off, the network's
// files, implied packages) is here too, and never in Go. Only config imports
// this package.
package schema
