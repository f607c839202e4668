package modules

import "embed"

// Files holds the modules' CUE files, all of package stet.
//
//go:embed *.cue
var Files embed.FS
