package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportsAreOnTheAllowList keeps the first program of a machine small: each
// package in it is code that runs before anybody can log in, and bytes that every
// boot loads.
func TestImportsAreOnTheAllowList(t *testing.T) {
	allowed := map[string]string{
		"stet/cmd/stet-init":      "itself",
		"stet/internal/fault":     "where a test may cut the power",
		"stet/internal/gpt":       "the partition with the store",
		"stet/internal/grow":      "a disk that is larger than its image",
		"stet/internal/mount":     "composefs",
		"stet/internal/plainjson": "manifest, policy and records",
		"stet/internal/state":     "what outlives a generation",
		"stet/internal/verity":    "digests of images",
		"golang.org/x/sys/unix":   "system calls",
	}
	// They drag in far more than the initrd needs, or tempt to what it must not do;
	// internal/plainjson says why encoding/json is one of them.
	forbidden := []string{"encoding/json", "net", "net/http", "os/exec", "os/user", "text/template", "regexp", "crypto/tls"}
	list := exec.Command("go", "list", "-deps", "-f", "{{.Standard}} {{.ImportPath}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		standard, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if standard == "true" {
			if slices.Contains(forbidden, name) {
				t.Errorf("stet-init imports %s: too large for the initrd", name)
			}
			continue
		}
		if allowed[name] == "" {
			t.Errorf("stet-init imports %s, which is not on its allow-list", name)
		}
	}
}
