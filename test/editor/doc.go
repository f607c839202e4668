// Package editor holds the JSON Schema of configurations to what editors make of
// it: the YAML language server, which most of them run, is driven as an editor
// does.
package editor
