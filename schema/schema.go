package schema

import "embed"

// Files holds the schema's CUE files, all of package stet.
//
//go:embed *.cue
var Files embed.FS
