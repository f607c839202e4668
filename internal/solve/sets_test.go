//go:build !long

package solve

import "testing"

// randomSets is how many drawn sets are held against apt.
func randomSets(*testing.T) int { return 12 }

const longRun = false
