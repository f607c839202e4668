package main

import (
	"fmt"
	"strconv"
	"strings"

	"stet/internal/gpt"
)

// A commandLine is what the kernel command line says to this program.
type commandLine struct {
	system     string   // stet.system=: SHA-256 of the manifest, in hex
	generation int      // stet.generation=: the number of the generation; 0 when there is none
	store      gpt.GUID // stet.store=: the partition with the store; zero when it is to be found

	// panicAfter is the kernel's panic=: seconds after which a machine that
	// cannot go on restarts. Negative: at once. Zero: not given.
	panicAfter int
}

// parseCommandLine reads /proc/cmdline. As in the kernel, the last of several
// equal parameters counts.
func parseCommandLine(text string) (commandLine, error) {
	var c commandLine
	var storeErr error
	for _, word := range strings.Fields(text) {
		if word == "--" {
			break // the rest is for init
		}
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "stet.system":
			c.system = value
		case "stet.generation":
			c.generation, _ = strconv.Atoi(value)
		case "stet.store":
			c.store, storeErr = gpt.ParseGUID(value)
		case "panic":
			c.panicAfter, _ = strconv.Atoi(value)
		}
	}
	switch {
	case c.system == "":
		return c, remedy{fmt.Errorf("the kernel command line does not say which system to start (stet.system=DIGEST)"),
			"Choose another entry in the boot menu, or add it there (key e)."}
	case !isDigest(c.system):
		return c, remedy{fmt.Errorf("stet.system=%s on the kernel command line is no digest (64 hexadecimal digits)", c.system),
			"Choose another entry in the boot menu, or correct it there (key e)."}
	case storeErr != nil:
		return c, remedy{fmt.Errorf("stet.store= on the kernel command line: %w", storeErr),
			"Choose another entry in the boot menu, or correct it there (key e)."}
	}
	return c, nil
}

// isDigest reports whether s is a SHA-256 digest as Stet writes it: it becomes a
// file name, so nothing else may pass.
func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
