// Package cli is the command line: one file per command, flags in, report out.
//
// It takes arguments and an [Environment], calls the rooms, and writes results
// to stdout and everything else to stderr. Errors become text and an exit code
// in one place (exit.go). With --json exactly one JSON document goes to stdout.
//
// To add a command: write NAME.go with a function newNAME(*app) *cobra.Command
// and list it in root.go. Only cmd/stet imports this package.
package cli
